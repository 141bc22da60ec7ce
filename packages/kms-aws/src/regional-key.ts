import {
  DeadlineError,
  InvalidConfigError,
  KmsError,
  offHeapCopy,
  withDeadline,
  withoutAccounts,
} from '@asherah/core/backend'
import { DecryptCommand, EncryptCommand, GenerateDataKeyCommand } from '@aws-sdk/client-kms'
import { parseKeyArn } from './arn.ts'
import { type Breaker, createBreaker } from './breaker.ts'
import { classify, nameOf, reasonOf, withoutAnswer } from './classify.ts'
import { type KmsClientLike, openClient } from './client.ts'
import type { RegionalKek } from './envelope.ts'
import type { ConfiguredKey, Settings } from './options.ts'
import { type KmsOperation, type KmsRegionEvent, kmsRegionChannel } from './region-events.ts'

/** The KMS key of one region. Each call throws a `KmsError` that names the region; plaintext keys are the caller's to wipe. */
export interface RegionalKey {
  readonly region: string
  readonly multiRegionId: string | undefined
  readonly breaker: Breaker
  /** Whether a KEK is of this region and, as far as its ARN and ours say, under a key that this region has or had. */
  isOwn(kek: RegionalKek): boolean
  generateDataKey(signal: AbortSignal): Promise<{ readonly dataKey: Uint8Array; readonly kek: RegionalKek }>
  encrypt(dataKey: Uint8Array, signal: AbortSignal): Promise<RegionalKek>
  /** @returns the data key, under the key that the KEK names; if it names none of this region's, under whichever fits. */
  decrypt(kek: RegionalKek, signal: AbortSignal): Promise<Uint8Array>
  /** Ends the client, if it was made here. */
  close(): void
}

const DATA_KEY_BYTES = 32

/** @throws InvalidConfigError when nothing says in which region the key is. */
export async function createRegionalKey(configured: ConfiguredKey, settings: Settings): Promise<RegionalKey> {
  const { keyId, formerKeyIds } = configured
  const ownArn = parseKeyArn(keyId)
  const isAlias = ownArn?.isAlias ?? keyId.startsWith('alias/')
  const { client, close } = openClient(configured.client, configured.region, settings)
  const region = configured.region ?? (await regionOf(client, close))
  const breaker = createBreaker(settings.breaker)

  const call = async <T>(
    operation: KmsOperation,
    outer: AbortSignal,
    send: (abortSignal: AbortSignal) => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> => {
    const start = performance.now()
    const publish = (outcome: KmsRegionEvent['outcome'], error?: string): void => {
      if (!kmsRegionChannel.hasSubscribers) return
      const durationMs = performance.now() - start
      kmsRegionChannel.publish({ operation, region, outcome, durationMs, ...(error !== undefined && { error }) })
    }
    try {
      const result = await withDeadline(settings.regionTimeoutMs, outer, send, discard)
      breaker.succeeded()
      publish('ok')
      return result
    } catch (cause) {
      if (outer.aborted) {
        publish('aborted')
      } else if (cause instanceof DeadlineError) {
        breaker.failed()
        publish('timeout')
      } else {
        const outcome = classify(cause)
        // A region that refuses is there: only failures that may pass count.
        if (outcome === 'transient') breaker.failed()
        publish(outcome, nameOf(cause))
      }
      throw new KmsError(`${region}: ${operation} failed (${reasonOf(cause)})`, {
        cause: withoutAccounts(withoutAnswer(cause)),
      })
    }
  }

  const decryptWith = async (KeyId: string, blob: Uint8Array, signal: AbortSignal): Promise<Uint8Array> => {
    const command = new DecryptCommand({ KeyId, CiphertextBlob: blob })
    const output = await call(
      'Decrypt',
      signal,
      (abortSignal) => client.send(command, { abortSignal }),
      ({ Plaintext }) => Plaintext?.fill(0),
    )
    return takeDataKey(region, output.Plaintext)
  }

  return {
    region,
    multiRegionId: ownArn === undefined && keyId.startsWith('mrk-') ? keyId : ownArn?.multiRegionId,
    breaker,
    isOwn(kek) {
      if (kek.region !== region) return false
      if (kek.arn === undefined || isAlias) return true
      return kek.arn === keyId || kek.arn.endsWith(`:key/${keyId}`) || formerKeyIds.includes(kek.arn)
    },
    async generateDataKey(signal) {
      const command = new GenerateDataKeyCommand({ KeyId: keyId, KeySpec: 'AES_256' })
      const output = await call(
        'GenerateDataKey',
        signal,
        (abortSignal) => client.send(command, { abortSignal }),
        ({ Plaintext }) => Plaintext?.fill(0),
      )
      const dataKey = takeDataKey(region, output.Plaintext)
      try {
        return { dataKey, kek: kekOf(region, keyId, output) }
      } catch (error) {
        dataKey.fill(0)
        throw error
      }
    },
    async encrypt(dataKey, signal) {
      const command = new EncryptCommand({ KeyId: keyId, Plaintext: dataKey })
      return kekOf(region, keyId, await call('Encrypt', signal, (abortSignal) => client.send(command, { abortSignal })))
    },
    async decrypt({ arn, encryptedKek }, signal) {
      const own = [keyId, ...formerKeyIds]
      const ids = own.some((id) => id === arn) ? own.filter((id) => id === arn) : own
      const last = ids.pop() ?? keyId
      // Which of ours is behind no ARN, or an alias's, only KMS knows: it says so when it is another.
      for (const id of ids) {
        try {
          return await decryptWith(id, encryptedKek, signal)
        } catch (error) {
          if (!(error instanceof KmsError) || nameOf(error.cause) !== 'IncorrectKeyException') throw error
        }
      }
      return decryptWith(last, encryptedKek, signal)
    },
    close,
  }
}

async function regionOf(client: KmsClientLike, close: () => void): Promise<string> {
  let cause: unknown
  try {
    const region = await client.config?.region()
    if (region !== undefined && region !== '') return region
  } catch (error) {
    cause = error
  }
  close()
  const ways = 'give an ARN as keyId, or the option region, or set AWS_REGION'
  throw new InvalidConfigError(`nothing says in which region the KMS key is: ${ways}`, { cause })
}

/** The SDK's bytes may be a slice of a shared pool: they are copied, and wiped there. */
function takeDataKey(region: string, plaintext: Uint8Array | undefined): Uint8Array {
  if (!(plaintext instanceof Uint8Array)) throw new KmsError(`${region}: KMS gave no data key`)
  try {
    if (plaintext.byteLength !== DATA_KEY_BYTES) {
      throw new KmsError(`${region}: KMS gave a data key of ${plaintext.byteLength} bytes, not ${DATA_KEY_BYTES}`)
    }
    return offHeapCopy(plaintext)
  } finally {
    plaintext.fill(0)
  }
}

function kekOf(
  region: string,
  keyId: string,
  output: { readonly KeyId?: string | undefined; readonly CiphertextBlob?: Uint8Array | undefined },
): RegionalKek {
  const { KeyId, CiphertextBlob } = output
  if (!(CiphertextBlob instanceof Uint8Array) || CiphertextBlob.byteLength === 0) {
    throw new KmsError(`${region}: KMS gave no ciphertext`)
  }
  // KMS names the key itself, where `keyId` may be an alias.
  return { region, arn: KeyId ?? keyId, encryptedKek: CiphertextBlob }
}
