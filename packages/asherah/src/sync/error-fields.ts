import { redactText } from '@asherah/config'
import {
  AbortedError,
  AsherahError,
  ClosedError,
  CorruptRecordError,
  DecryptionError,
  FutureKeyError,
  InvalidConfigError,
  InvalidInputError,
  KeyNotFoundError,
  KmsError,
  MetastoreError,
  SecureMemoryError,
  WrongPartitionError,
} from '@asherah/core'

/** What of an error crosses from thread to thread. */
export interface ErrorFields {
  readonly code: string | undefined
  readonly message: string
  readonly keyId?: string
  readonly created?: number
  /** The cause's text, without secrets: the cause itself may hold a connection. */
  readonly cause?: string
}

const CLASSES = {
  ERR_ASHERAH_INVALID_INPUT: InvalidInputError,
  ERR_ASHERAH_INVALID_CONFIG: InvalidConfigError,
  ERR_ASHERAH_WRONG_PARTITION: WrongPartitionError,
  ERR_ASHERAH_DECRYPTION_FAILED: DecryptionError,
  ERR_ASHERAH_METASTORE: MetastoreError,
  ERR_ASHERAH_CORRUPT_RECORD: CorruptRecordError,
  ERR_ASHERAH_FUTURE_KEY: FutureKeyError,
  ERR_ASHERAH_KMS: KmsError,
  ERR_ASHERAH_CLOSED: ClosedError,
  ERR_ASHERAH_SECURE_MEMORY: SecureMemoryError,
  ERR_ASHERAH_ABORTED: AbortedError,
} as const

/** Takes an error apart. */
export function errorFields(error: unknown): ErrorFields {
  if (!(error instanceof Error)) return { code: undefined, message: 'a value that is no error was thrown' }
  const code: unknown = Reflect.get(error, 'code')
  return {
    code:
      error instanceof AsherahError || (typeof code === 'string' && code.startsWith('ERR_ASHERAH_'))
        ? String(code)
        : undefined,
    message: redactText(error.message),
    ...(error instanceof KeyNotFoundError && { keyId: error.keyId, created: error.created }),
    ...(error.cause instanceof Error && { cause: redactText(error.cause.message) }),
  }
}

/** Makes the error again, of its own class. What was no error of ours is a `MetastoreError`: only I/O runs there. */
export function errorFrom({ code, message, keyId = '', created = 0, cause }: ErrorFields): AsherahError {
  const options = cause === undefined ? undefined : { cause: new Error(cause) }
  if (code === 'ERR_ASHERAH_KEY_NOT_FOUND') return new KeyNotFoundError(message, { keyId, created }, options)
  const found = Object.entries(CLASSES).find(([known]) => known === code)
  return new (found?.[1] ?? MetastoreError)(message, options)
}
