import {
  AsherahError,
  type AsherahErrorCode,
  InvalidInputError,
  parseDataRowRecord,
  serializeDataRowRecord,
} from '@asherah/core'
import { asBuffer } from './inputs.ts'

/** The numbers of the Cobhan interface, which the old packages' messages end in. */
export const cobhanCodes = {
  none: 0,
  nullPointer: -1,
  jsonDecodeFailed: -5,
  notInitialized: -100,
  alreadyInitialized: -101,
  getSessionFailed: -102,
  encryptFailed: -103,
  decryptFailed: -104,
  badConfig: -105,
} as const

const numbers = new WeakMap<object, number>()

/** Marks an error with the number of what failed, unless it has one. */
export function withCobhanCode(error: unknown, code: number): unknown {
  if (typeof error === 'object' && error !== null && !numbers.has(error)) numbers.set(error, code)
  return error
}

const BY_CODE: Partial<Readonly<Record<AsherahErrorCode, number>>> = {
  ERR_ASHERAH_INVALID_CONFIG: cobhanCodes.badConfig,
  ERR_ASHERAH_CLOSED: cobhanCodes.notInitialized,
  ERR_ASHERAH_DECRYPTION_FAILED: cobhanCodes.decryptFailed,
  ERR_ASHERAH_WRONG_PARTITION: cobhanCodes.decryptFailed,
  ERR_ASHERAH_KEY_NOT_FOUND: cobhanCodes.decryptFailed,
}

/**
 * The Cobhan number of an error that this package threw: 0 for no error, -100 not set up, -101 set up already, -102 no
 * session, -103 encrypt failed, -104 decrypt failed, -105 bad config, -1 a missing argument, -5 a record that is not JSON.
 */
export function cobhanCode(error: unknown): number {
  if (error === undefined || error === null) return cobhanCodes.none
  const marked = typeof error === 'object' ? numbers.get(error) : undefined
  if (marked !== undefined) return marked
  return (error instanceof AsherahError ? BY_CODE[error.code] : undefined) ?? cobhanCodes.encryptFailed
}

/** Bytes of a record beside its data, its partition, its service and its product. */
const ENVELOPE_BYTES = 320
/** What service, product and region suffix have at most, in an SQL column of 255 characters. */
const NAMES_BYTES = 1_024
/** Cobhan buffers begin with their length. */
const HEADER_BYTES = 8
const MAX_DATA_BYTES = 2 ** 31 - 1

/**
 * How large a buffer takes the record of a payload, for callers who keep records in buffers of their own: never too small.
 *
 * @param dataLength Bytes of plaintext.
 * @param partitionLength Bytes of the partition id.
 * @throws RangeError for what is no length, or is over 2^31 - 1.
 */
export function estimateBuffer(dataLength: number, partitionLength: number): number {
  for (const [name, value] of [
    ['dataLength', dataLength],
    ['partitionLength', partitionLength],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 0 || value > MAX_DATA_BYTES) {
      throw new RangeError(`${name} is a whole number from 0 to ${MAX_DATA_BYTES}`)
    }
  }
  const base64 = 4 * Math.ceil((dataLength + 28) / 3)
  // JSON may write a byte of an id as six characters.
  return HEADER_BYTES + ENVELOPE_BYTES + base64 + 6 * partitionLength + NAMES_BYTES
}

/** A data row record in parts, as `Encrypt` and `Decrypt` of the Cobhan interface take them. */
export interface RecordParts {
  /** The encrypted payload. */
  readonly data: Buffer
  /** The encrypted data row key. */
  readonly key: Buffer
  /** The data row key's time, in Unix seconds. */
  readonly created: number
  readonly parentKeyId: string
  /** In Unix seconds. */
  readonly parentKeyCreated: number
}

/** The parts of a record's JSON text. */
export function partsOf(json: string): RecordParts {
  const { key, data } = parseDataRowRecord(json)
  return {
    data: asBuffer(data),
    key: asBuffer(key.encryptedKey),
    created: key.created,
    parentKeyId: key.parentKeyMeta.keyId,
    parentKeyCreated: key.parentKeyMeta.created,
  }
}

/** A record's JSON text from its parts. @throws InvalidInputError naming the field. */
export function jsonOf(parts: RecordParts): string {
  if (typeof parts !== 'object' || parts === null) throw new InvalidInputError('the parts of a record are an object')
  const { data, key, created, parentKeyId, parentKeyCreated } = parts
  return serializeDataRowRecord({
    data,
    key: { created, encryptedKey: key, parentKeyMeta: { keyId: parentKeyId, created: parentKeyCreated } },
  })
}
