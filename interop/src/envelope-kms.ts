import type { KeyManagementService } from '@asherah/core/backend'
import { createAwsKms, type KmsClientLike } from '@asherah/kms-aws'
import type { AwsVectorKms } from '@asherah/testing/tools'
import { DecryptCommand } from '@aws-sdk/client-kms'

/** What {@link createEnvelopeKms} reads with. */
export interface EnvelopeKmsOptions {
  /** The file's KMS: what a real `Decrypt` call answers for each wrapped data key. */
  readonly kms: AwsVectorKms
  /** The reader's regions and ARNs. Default: the file's. */
  readonly regionMap?: Readonly<Record<string, string>>
  /** The region that is asked first. Default: the file's. */
  readonly preferredRegion?: string
}

/** TEST ONLY: `createAwsKms` with the plaintext data keys of a vector file in the place of AWS, which only decrypts. */
export function createEnvelopeKms(options: EnvelopeKmsOptions): KeyManagementService {
  const { kms, regionMap = kms.regionArnMap, preferredRegion = kms.preferredRegion } = options
  const clients = Object.keys(regionMap).map((region) => [region, vectorClient(region, kms)])
  return createAwsKms({ regionMap, preferredRegion, clients: Object.fromEntries(clients) })
}

function vectorClient(region: string, { keks }: AwsVectorKms): KmsClientLike {
  return {
    async send(command: unknown) {
      if (!(command instanceof DecryptCommand)) throw new Error('the vector KMS only decrypts')
      const { KeyId, CiphertextBlob = new Uint8Array() } = command.input
      const wrapped = Buffer.from(CiphertextBlob).toString('base64')
      const kek = keks.find((one) => one.encryptedKek === wrapped && one.region === region && one.arn === KeyId)
      if (kek === undefined) throw refusal('InvalidCiphertextException')
      return { $metadata: {}, KeyId, Plaintext: Buffer.from(kek.plaintextDataKeyBase64, 'base64') }
    },
  }
}

function refusal(name: string): Error {
  return Object.assign(new Error(name), { name, $metadata: { httpStatusCode: 400 } })
}
