import {
  AsherahError,
  type Call,
  ClosedError,
  checkNotAborted,
  createHeapSecrets,
  InvalidInputError,
  type KeyManagementService,
  KmsError,
  openAes256Gcm,
  type Secret,
  sealAes256Gcm,
} from '@asherah/core/backend'
import { untilAborted } from './abort.ts'
import { openClient } from './client.ts'
import { checkOptions, type SecretsManagerKmsOptions } from './options.ts'
import { createVersions, type MasterKeyVersions } from './versions.ts'

/** Ciphertext (32), tag (16) and nonce (12). */
const WRAPPED_BYTES = 60
const SYSTEM_KEY_BYTES = 32

/** A {@link KeyManagementService} whose master key is kept in AWS Secrets Manager. */
export interface SecretsManagerKms extends KeyManagementService {
  readonly closed: boolean
  /** Wipes the master keys and destroys a client that was made here; later calls throw `ClosedError`. Idempotent. */
  close(): void
  [Symbol.dispose](): void
}

/**
 * A KMS whose master key is a secret of AWS Secrets Manager, read at the first call and kept in a `Secret`.
 *
 * A wrapped key is AES-256-GCM of the key under the secret's current version: 60 bytes, as asherah-ffi and the static KMS
 * write and read it. It does not name its version: a key that the current version does not open is tried with former ones.
 *
 * @throws InvalidConfigError for an unknown or bad option.
 * @example
 * const kms = createSecretsManagerKms({ secretId: 'asherah/master-key', region: 'us-west-2' })
 */
export function createSecretsManagerKms(options: SecretsManagerKmsOptions): SecretsManagerKms {
  const settings = checkOptions(options)
  const { client, close: closeClient } = openClient(settings, options)
  const secrets = options.secrets ?? createHeapSecrets()
  const versions = createVersions(client, secrets, settings)
  let closed = false

  const run = async (call: Call | undefined, work: () => Promise<Uint8Array>): Promise<Uint8Array> => {
    if (closed) throw new ClosedError('the Secrets Manager KMS is closed')
    const signal = call?.signal
    checkNotAborted(signal)
    try {
      return await untilAborted(work(), signal, (late) => late.fill(0))
    } catch (cause) {
      checkNotAborted(signal)
      throw cause
    }
  }
  const close = (): void => {
    closed = true
    versions.close()
    if (options.secrets === undefined) secrets.close()
    closeClient()
  }
  return {
    get closed() {
      return closed
    },
    async encryptKey(key, call) {
      if (!(key instanceof Uint8Array) || key.byteLength !== SYSTEM_KEY_BYTES) {
        throw new InvalidInputError(`a key to encrypt must be ${SYSTEM_KEY_BYTES} bytes`)
      }
      return run(call, async () => (await versions.current()).withBytes((master) => sealAes256Gcm(key, master)))
    },
    async decryptKey(encryptedKey, call) {
      if (!(encryptedKey instanceof Uint8Array) || encryptedKey.byteLength !== WRAPPED_BYTES) {
        throw new KmsError(`a key under a master key is ${WRAPPED_BYTES} bytes: another KMS made this one`)
      }
      return run(call, () => decryptKey(encryptedKey, versions))
    },
    close,
    [Symbol.dispose]: close,
  }
}

async function decryptKey(wrapped: Uint8Array, versions: MasterKeyVersions): Promise<Uint8Array> {
  await versions.current()
  const key = tryAll(wrapped, versions.known())
  if (key !== undefined) return key
  let cause: unknown
  try {
    await versions.search()
  } catch (error) {
    cause = error // what it found before it failed may still open the key
  }
  const found = tryAll(wrapped, versions.known())
  if (found !== undefined) return found
  const what = 'no version of the secret opens the key: another master key encrypted it, or it was altered'
  throw cause === undefined
    ? new KmsError(what)
    : new KmsError('not every version of the secret can be read', { cause })
}

function tryAll(wrapped: Uint8Array, secrets: readonly Secret[]): Uint8Array | undefined {
  for (const secret of secrets) {
    const key = tryOpen(wrapped, secret)
    if (key !== undefined) return key
  }
  return undefined
}

function tryOpen(wrapped: Uint8Array, secret: Secret): Uint8Array | undefined {
  try {
    return secret.withBytes((master) => openAes256Gcm(wrapped, master))
  } catch (error) {
    if (error instanceof AsherahError && error.code === 'ERR_ASHERAH_DECRYPTION_FAILED') return undefined
    throw error
  }
}
