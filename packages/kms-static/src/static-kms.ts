import {
  AsherahError,
  type Call,
  ClosedError,
  checkNotAborted,
  createHeapSecrets,
  InvalidInputError,
  type KeyManagementService,
  KmsError,
  MASTER_KEY_BYTES,
  openAes256Gcm,
  type SecretFactory,
  sealAes256Gcm,
} from '@asherah/core/backend'
import { refuseWeakKey } from './master-key.ts'
import { checkOptions, type StaticKmsOptions } from './options.ts'

/** Ciphertext (32), tag (16) and nonce (12). */
const WRAPPED_BYTES = 60

/** A {@link KeyManagementService} with one master key in memory. */
export interface StaticKms extends KeyManagementService {
  readonly closed: boolean
  /** Wipes the master key; later calls throw `ClosedError`. Idempotent. */
  close(): void
  [Symbol.dispose](): void
}

/**
 * A KMS with one static master key, for development and for a single operator's key file.
 *
 * A wrapped key is AES-256-GCM of the key under the master key: 60 bytes, as every Asherah implementation writes and
 * reads it. The public test key, and one byte repeated, are refused.
 *
 * @throws InvalidConfigError when no key is given, or two, or one that is not 32 bytes.
 * @example
 * const masterKey = await readMasterKeyFile('master.key')
 * const kms = createStaticKms({ masterKey })
 * masterKey.fill(0)
 */
export function createStaticKms(options: StaticKmsOptions): StaticKms {
  const masterKey = checkOptions(options)
  try {
    refuseWeakKey(masterKey)
    return staticKms(masterKey, options.secrets)
  } finally {
    masterKey.fill(0)
  }
}

/** @param masterKey 32 bytes; wiped. */
export function staticKms(masterKey: Uint8Array, secrets: SecretFactory | undefined): StaticKms {
  const secret = (secrets ?? createHeapSecrets()).fromBytes(masterKey)
  const checkCall = (call: Call | undefined): void => {
    if (secret.closed) throw new ClosedError('the static KMS is closed')
    checkNotAborted(call?.signal)
  }
  const close = (): void => secret.close()
  return {
    get closed() {
      return secret.closed
    },
    async encryptKey(key, call) {
      checkCall(call)
      if (!(key instanceof Uint8Array) || key.byteLength !== MASTER_KEY_BYTES) {
        throw new InvalidInputError(`a key to encrypt must be ${MASTER_KEY_BYTES} bytes`)
      }
      return secret.withBytes((bytes) => sealAes256Gcm(key, bytes))
    },
    async decryptKey(encryptedKey, call) {
      checkCall(call)
      if (!(encryptedKey instanceof Uint8Array) || encryptedKey.byteLength !== WRAPPED_BYTES) {
        throw new KmsError(`a key that the static KMS encrypted is ${WRAPPED_BYTES} bytes: another KMS made this one`)
      }
      try {
        return secret.withBytes((bytes) => openAes256Gcm(encryptedKey, bytes))
      } catch (cause) {
        if (!(cause instanceof AsherahError) || cause.code !== 'ERR_ASHERAH_DECRYPTION_FAILED') throw cause
        throw new KmsError(
          'the static KMS cannot decrypt the key: another master key encrypted it, or it was altered',
          {
            cause,
          },
        )
      }
    },
    close,
    [Symbol.dispose]: close,
  }
}
