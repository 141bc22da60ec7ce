import type { KeyManagementService } from '@asherah/core/backend'
import { openAes256Gcm } from '@asherah/core/backend'
import type { AwsVectorKms } from '@asherah/testing/tools'
import { ownProperty } from './json.ts'

/** What {@link createEnvelopeKms} reads with. */
export interface EnvelopeKmsOptions {
  /** The file's KMS: what a real `Decrypt` call answers for each wrapped data key. */
  readonly kms: AwsVectorKms
  /** The regions that the reader knows. Default: the file's. */
  readonly regions?: readonly string[]
  /** The region that is asked first. Default: the file's. */
  readonly preferredRegion?: string
}

/**
 * TEST ONLY: reads system keys that were wrapped under AWS KMS, with the plaintext data keys of a vector file in the
 * place of AWS. It asks the preferred region first, then the envelope's others in order, and never encrypts.
 */
export function createEnvelopeKms(options: EnvelopeKmsOptions): KeyManagementService {
  const regions = options.regions ?? Object.keys(options.kms.regionArnMap)
  const preferred = options.preferredRegion ?? options.kms.preferredRegion
  const dataKeys = new Map(options.kms.keks.map((kek) => [kek.encryptedKek, kek.plaintextDataKeyBase64]))

  return {
    encryptKey: () => Promise.reject(new Error('the vector KMS only decrypts')),
    decryptKey: async (blob) => {
      const envelope = parseEnvelope(new TextDecoder('utf-8', { fatal: true }).decode(blob))
      const known = envelope.keks.filter((kek) => regions.includes(kek.region))
      const inOrder = [
        ...known.filter((kek) => kek.region === preferred),
        ...known.filter((kek) => kek.region !== preferred),
      ]
      const errors: unknown[] = []
      for (const kek of inOrder) {
        try {
          const dataKey = dataKeys.get(kek.encryptedKek)
          if (dataKey === undefined) throw new Error(`${kek.region}: invalid ciphertext`)
          return openAes256Gcm(envelope.encryptedKey, Buffer.from(dataKey, 'base64'))
        } catch (error) {
          errors.push(error)
        }
      }
      throw new AggregateError(errors, 'decrypt failed in all regions')
    },
  }
}

interface Envelope {
  readonly encryptedKey: Uint8Array
  readonly keks: readonly { readonly region: string; readonly encryptedKek: string }[]
}

function parseEnvelope(text: string): Envelope {
  const json: unknown = JSON.parse(text)
  const keks = ownProperty(json, 'kmsKeks')
  if (!Array.isArray(keks)) throw new Error('envelope: kmsKeks is not a list')
  return {
    encryptedKey: Buffer.from(textProperty(json, 'encryptedKey'), 'base64'),
    keks: keks.map((kek: unknown) => ({
      region: textProperty(kek, 'region'),
      encryptedKek: textProperty(kek, 'encryptedKek'),
    })),
  }
}

function textProperty(object: unknown, name: string): string {
  const value = ownProperty(object, name)
  if (typeof value !== 'string') throw new Error(`envelope: ${name} is not text`)
  return value
}
