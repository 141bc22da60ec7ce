import {
  type Call,
  ClosedError,
  checkKnownOptions,
  checkNotAborted,
  type EnvelopeKeyRecord,
  InvalidConfigError,
  InvalidInputError,
  type KeyMeta,
  type Metastore,
  type MetastoreReport,
  parseEnvelopeKeyRecord,
  serializeEnvelopeKeyRecord,
} from '@asherah/core/backend'
import { createRowMap, type Row, type RowMap } from './row-map.ts'

/** Without its other half: such text has no UTF-8 bytes, so two ids would become one. */
const LONE_SURROGATE = /\p{Surrogate}/u

/** Options of {@link createMemoryMetastore}. */
export interface MemoryMetastoreOptions {
  /** Ends the ids of every key of a factory that uses this metastore, as a global table's region does. Default none. */
  readonly regionSuffix?: string
}

/** A {@link Metastore} with every optional capability. */
export interface MemoryMetastore extends Metastore {
  list(options?: Call & { readonly after?: KeyMeta }): AsyncIterable<EnvelopeKeyRecord>
  markRevoked(keyId: string, created: number, options?: Call): Promise<boolean>
  check(options?: Call & { readonly keyId?: string }): Promise<MetastoreReport>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * TEST ONLY: a metastore in this process's memory. Its keys are gone when the process ends, and with them everything that
 * was encrypted under them.
 *
 * @throws InvalidConfigError for an unknown or bad option.
 * @example
 * const metastore = createMemoryMetastore()
 */
export function createMemoryMetastore(options: MemoryMetastoreOptions = {}): MemoryMetastore {
  checkKnownOptions('createMemoryMetastore', options, ['regionSuffix'])
  const { regionSuffix } = options
  if (
    regionSuffix !== undefined &&
    (typeof regionSuffix !== 'string' || regionSuffix === '' || LONE_SURROGATE.test(regionSuffix))
  ) {
    throw new InvalidConfigError('regionSuffix must be non-empty text')
  }
  const rows = createRowMap()
  let closed = false

  const enter = (call: Call | undefined): RowMap => {
    if (closed) throw new ClosedError('the memory metastore is closed')
    checkNotAborted(call?.signal)
    return rows
  }
  const close = async (): Promise<void> => {
    closed = true
    rows.clear()
  }

  return {
    ...(regionSuffix === undefined ? {} : { regionSuffix }),

    async load(keyId, created, call) {
      checkKey(keyId, created)
      return parseOrNull(enter(call).get(keyId, created))
    },

    async loadLatest(keyId, call) {
      checkKey(keyId)
      const notAfter = call?.notAfter ?? Number.POSITIVE_INFINITY
      if (Number.isNaN(notAfter)) throw new InvalidInputError('notAfter must be Unix seconds')
      return parseOrNull(enter(call).latest(keyId, notAfter))
    },

    async store(keyId, created, record, call) {
      checkKey(keyId, created)
      const keyRecord = serializeEnvelopeKeyRecord(record)
      if (record.keyId !== keyId || record.created !== created) {
        throw new InvalidInputError("keyId and created must be the record's own")
      }
      return enter(call).insert({ keyId, created, keyRecord })
    },

    async *list(call) {
      if (call?.after !== undefined) checkKey(call.after.keyId, call.after.created)
      for (const row of enter(call).sorted(call?.after)) {
        enter(call)
        yield parseRow(row)
      }
    },

    async markRevoked(keyId, created, call) {
      checkKey(keyId, created)
      const row = enter(call).get(keyId, created)
      if (row === undefined) return false
      rows.replace({ ...row, keyRecord: serializeEnvelopeKeyRecord({ ...parseRow(row), revoked: true }) })
      return true
    },

    async check(call) {
      const { size } = enter(call)
      const stored = { level: 'pass', check: 'table', message: `${size} rows, in memory` } as const
      const volatile = { level: 'warn', check: 'durability', message: 'TEST ONLY: the rows are gone at exit' } as const
      if (call?.keyId === undefined) return { ok: true, findings: [stored, volatile] }
      checkKey(call.keyId)
      const latest = enter(call).latest(call.keyId, Number.POSITIVE_INFINITY)
      const message = latest === undefined ? 'no row of this id' : `the latest was created ${latest.created}`
      return {
        ok: true,
        findings: [stored, volatile, { level: latest === undefined ? 'warn' : 'pass', check: 'latest', message }],
      }
    },

    close,
    [Symbol.asyncDispose]: close,
  }
}

function parseOrNull(row: Row | undefined): EnvelopeKeyRecord | null {
  return row === undefined ? null : parseRow(row)
}

function parseRow(row: Row): EnvelopeKeyRecord {
  return parseEnvelopeKeyRecord(row.keyRecord, row)
}

function checkKey(keyId: unknown, created: unknown = 1): void {
  if (typeof keyId !== 'string' || keyId === '' || LONE_SURROGATE.test(keyId)) {
    throw new InvalidInputError('a key id must be non-empty, well-formed text')
  }
  if (!Number.isSafeInteger(created) || Number(created) < 1) {
    throw new InvalidInputError('created must be a whole number of Unix seconds, 1 or more')
  }
}
