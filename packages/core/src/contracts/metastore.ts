import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import type { Call } from './call.ts'

/** How a metastore counts the length of a key id. */
export interface MaxKeyId {
  readonly unit: 'bytes' | 'codePoints' | 'utf16'
  readonly length: number
}

/** One finding of {@link Metastore.check}. */
export interface MetastoreFinding {
  readonly level: 'pass' | 'warn' | 'fail'
  /** What was looked at: a short stable name such as `table`, `columns`, `unique`, `json`. */
  readonly check: string
  readonly message: string
  /** The statement that shows the finding, where there is one. */
  readonly query?: string
}

/** What {@link Metastore.check} returns. */
export interface MetastoreReport {
  /** True when no finding is a `fail`. */
  readonly ok: boolean
  readonly findings: readonly MetastoreFinding[]
}

/**
 * Where wrapped keys are kept: one row per (keyId, created).
 *
 * Null means "no such row" and false means "already there"; a failure throws. A row that is there but cannot be read
 * throws `CorruptRecordError`: it is never reported as missing.
 */
export interface Metastore {
  /** Ends every system and intermediate key id of a factory that uses this metastore: one region of a global table. */
  readonly regionSuffix?: string
  /** The longest key id that this metastore holds whole; checked in `getSession`, before any key is made. */
  readonly maxKeyId?: MaxKeyId
  /** The row of exactly this id and `created` (Unix seconds), or null. */
  load(keyId: string, created: number, options?: Call): Promise<EnvelopeKeyRecord | null>
  /** The row with this id and the greatest `created`, or the greatest that is ≤ `notAfter` (Unix seconds), or null. */
  loadLatest(keyId: string, options?: Call & { readonly notAfter?: number }): Promise<EnvelopeKeyRecord | null>
  /**
   * Inserts a row if no row with this (keyId, created) is there.
   *
   * @returns true: inserted. false: a row was already there, and it is unchanged.
   * @throws InvalidInputError when keyId or created differ from the record's own.
   */
  store(keyId: string, created: number, record: EnvelopeKeyRecord, options?: Call): Promise<boolean>
  /** Every row, by the bytes of its id, then by `created`; only those after `after`, if given. */
  list?(options?: Call & { readonly after?: KeyMeta }): AsyncIterable<EnvelopeKeyRecord>
  /** Marks one row revoked and changes nothing else of it. False: no such row. */
  markRevoked?(keyId: string, created: number, options?: Call): Promise<boolean>
  /** Looks whether the store is fit for use; never writes. `keyId` asks for a `loadLatest` of that id too. */
  check?(options?: Call & { readonly keyId?: string }): Promise<MetastoreReport>
  /** Ends what the metastore opened. The caller's to call: a factory never closes a metastore. */
  close?(): Promise<void>
}
