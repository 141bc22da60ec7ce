import { CorruptRecordError, type EnvelopeKeyRecord, parseEnvelopeKeyRecord } from '@asherah/core/backend'

/** One row as the driver gives it; nothing about it is believed yet. */
export interface StoredRow {
  readonly id: unknown
  /** The `created` column as Unix seconds: a number, a bigint or decimal text; null: it is not a time. */
  readonly seconds: unknown
  /** The `key_record` column as JSON text. */
  readonly keyRecord: unknown
}

/** What a row must be: `created` may be left out where any will do. */
export interface AskedRow {
  readonly keyId: string
  /** Unix seconds. */
  readonly created?: number
}

/**
 * The record of a row.
 *
 * @param asked The id and created that were asked for: the row must be exactly that.
 * @throws CorruptRecordError when the row is another one, or cannot be read.
 */
export function recordOfRow(row: StoredRow, asked?: AskedRow): EnvelopeKeyRecord {
  const { id, keyRecord } = row
  if (typeof id !== 'string') throw new CorruptRecordError('a row has an id that is not text')
  if (asked !== undefined && id !== asked.keyId) {
    throw new CorruptRecordError(`asked for ${JSON.stringify(asked.keyId)}, the server gave ${JSON.stringify(id)}`)
  }
  const created = secondsOf(row.seconds)
  if (created === undefined) {
    throw new CorruptRecordError(`a row of ${JSON.stringify(id)} has a created column that is not a time`)
  }
  if (asked?.created !== undefined && created !== asked.created) {
    throw new CorruptRecordError(
      `asked for ${JSON.stringify(id)}, created ${asked.created}, the server gave ${created}`,
    )
  }
  if (typeof keyRecord !== 'string') {
    throw new CorruptRecordError(`the key_record of ${JSON.stringify(id)}, created ${created}, is not text`)
  }
  return parseEnvelopeKeyRecord(keyRecord, { keyId: id, created })
}

/** The `created` column of a row, or undefined when it is not a whole second. */
export function secondsOf(seconds: unknown): number | undefined {
  const value = typeof seconds === 'string' || typeof seconds === 'bigint' ? Number(seconds) : seconds
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}
