import type { KeyMeta } from './types.ts'

/** Every code that an {@link AsherahError} can carry. */
export type AsherahErrorCode =
  | 'ERR_ASHERAH_INVALID_INPUT'
  | 'ERR_ASHERAH_INVALID_CONFIG'
  | 'ERR_ASHERAH_WRONG_PARTITION'
  | 'ERR_ASHERAH_DECRYPTION_FAILED'
  | 'ERR_ASHERAH_KEY_NOT_FOUND'
  | 'ERR_ASHERAH_METASTORE'
  | 'ERR_ASHERAH_CORRUPT_RECORD'
  | 'ERR_ASHERAH_FUTURE_KEY'
  | 'ERR_ASHERAH_KMS'
  | 'ERR_ASHERAH_CLOSED'
  | 'ERR_ASHERAH_SECURE_MEMORY'
  | 'ERR_ASHERAH_ABORTED'

/** On the errors of every copy of this package. */
const BRAND = Symbol.for('@asherah/core.error')

/**
 * What every error of this library extends. Messages hold no key bytes, plaintext, passwords or connection strings.
 *
 * `instanceof` holds for the errors of another copy of this package too: npm gives each global package its own.
 */
export abstract class AsherahError extends Error {
  abstract readonly code: AsherahErrorCode
  override get name(): string {
    return this.constructor.name
  }
}

Object.defineProperty(AsherahError.prototype, BRAND, { value: true })
Object.defineProperty(AsherahError, Symbol.hasInstance, { value: isInstance })

/** `instanceof` of each class. */
function isInstance(this: unknown, value: unknown): boolean {
  if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
  if (!(value instanceof Error) || Reflect.get(value, BRAND) !== true) return false
  const code = CODES.get(this)
  return this === AsherahError || (code !== undefined && code === Reflect.get(value, 'code'))
}

/** An argument or a record that cannot be used: nothing was loaded and nothing was written. */
export class InvalidInputError extends AsherahError {
  readonly code = 'ERR_ASHERAH_INVALID_INPUT'
}

/** An option that is unknown, missing or out of range; the message names it and what is allowed. */
export class InvalidConfigError extends AsherahError {
  readonly code = 'ERR_ASHERAH_INVALID_CONFIG'
}

/** The record, or a key that it leads to, belongs to another partition, service or product. */
export class WrongPartitionError extends AsherahError {
  readonly code = 'ERR_ASHERAH_WRONG_PARTITION'
}

/** An authentication tag does not verify: the payload, its data row key or an intermediate key was altered. */
export class DecryptionError extends AsherahError {
  readonly code = 'ERR_ASHERAH_DECRYPTION_FAILED'
}

/** The metastore has no row for a key that a record needs. */
export class KeyNotFoundError extends AsherahError implements KeyMeta {
  readonly code = 'ERR_ASHERAH_KEY_NOT_FOUND'
  readonly keyId: string
  /** Unix seconds. */
  readonly created: number

  constructor(message: string, key: KeyMeta, options?: ErrorOptions) {
    super(message, options)
    this.keyId = key.keyId
    this.created = key.created
  }
}

/** A metastore's load or store failed; `cause` is what the metastore threw. */
export class MetastoreError extends AsherahError {
  readonly code = 'ERR_ASHERAH_METASTORE'
}

/** A metastore row is there, but malformed or not the row that was asked for. Never taken for a missing row. */
export class CorruptRecordError extends AsherahError {
  readonly code = 'ERR_ASHERAH_CORRUPT_RECORD'
}

/** The only latest key is dated further in the future than `clockSkewMs` allows: check this machine's clock. */
export class FutureKeyError extends AsherahError {
  readonly code = 'ERR_ASHERAH_FUTURE_KEY'
}

/** The KMS refused, failed in every region, or gave a key of a wrong shape; `errors` holds each failure. */
export class KmsError extends AsherahError {
  readonly code = 'ERR_ASHERAH_KMS'
  readonly errors: readonly unknown[]

  constructor(message: string, options?: ErrorOptions & { readonly errors?: readonly unknown[] }) {
    super(message, options)
    this.errors = options?.errors ?? (options?.cause === undefined ? [] : [options.cause])
  }
}

/** The factory, session or secret is closed. */
export class ClosedError extends AsherahError {
  readonly code = 'ERR_ASHERAH_CLOSED'
}

/** Memory could not be locked or protected; the message says the limit, what is used, and how to raise it. */
export class SecureMemoryError extends AsherahError {
  readonly code = 'ERR_ASHERAH_SECURE_MEMORY'
}

/** The caller's signal was aborted; `cause` is its reason. */
export class AbortedError extends AsherahError {
  readonly code = 'ERR_ASHERAH_ABORTED'
}

/** Which code each class has; a class that somebody else derives has none of its own. */
const CODES = new Map<unknown, AsherahErrorCode>([
  [InvalidInputError, 'ERR_ASHERAH_INVALID_INPUT'],
  [InvalidConfigError, 'ERR_ASHERAH_INVALID_CONFIG'],
  [WrongPartitionError, 'ERR_ASHERAH_WRONG_PARTITION'],
  [DecryptionError, 'ERR_ASHERAH_DECRYPTION_FAILED'],
  [KeyNotFoundError, 'ERR_ASHERAH_KEY_NOT_FOUND'],
  [MetastoreError, 'ERR_ASHERAH_METASTORE'],
  [CorruptRecordError, 'ERR_ASHERAH_CORRUPT_RECORD'],
  [FutureKeyError, 'ERR_ASHERAH_FUTURE_KEY'],
  [KmsError, 'ERR_ASHERAH_KMS'],
  [ClosedError, 'ERR_ASHERAH_CLOSED'],
  [SecureMemoryError, 'ERR_ASHERAH_SECURE_MEMORY'],
  [AbortedError, 'ERR_ASHERAH_ABORTED'],
])
