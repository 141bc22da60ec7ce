import { OVERHEAD_BYTES } from '../aes-256-gcm.ts'
import { base64Length } from './base64.ts'

/** What a reader of data row records accepts. */
export interface RecordLimits {
  /** The longest payload, in bytes; a record may hold 28 more. */
  readonly maxPlaintextBytes: number
}

/** 64 MiB. */
export const DEFAULT_MAX_PLAINTEXT_BYTES: number = 64 * 1024 * 1024

/** What a record's text may have beside its data: names, ids, white space, unknown fields. */
const MAX_TEXT_BESIDE_DATA = 128 * 1024

/** The longest text of a data row record, in characters or bytes. */
export function maxRecordTextLength(limits: RecordLimits): number {
  return base64Length(limits.maxPlaintextBytes + OVERHEAD_BYTES) + MAX_TEXT_BESIDE_DATA
}
