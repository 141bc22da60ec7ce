import {
  type Call,
  type EnvelopeKeyRecord,
  InvalidInputError,
  type KeyMeta,
  type MaxKeyId,
  type Metastore,
  MetastoreError,
  type MetastoreReport,
  serializeEnvelopeKeyRecord,
} from '@asherah/core/backend'
import { checkTable, type Inspection } from './check.ts'
import { isNetworkError, throwIfAborted } from './errors.ts'
import type { CallLimits } from './options.ts'
import type { ConnectionSource } from './pool.ts'
import { revokedText } from './revoked-text.ts'
import { type AskedRow, recordOfRow, type StoredRow, secondsOf } from './rows.ts'
import { createRun, pause } from './run.ts'
import { checkCreated, checkKeyId, MAX_CREATED } from './text.ts'

/** What kind of failure a driver's error is, by its typed code. `noTable` is permanent too: its message says what makes one. */
export type ErrorKind = 'duplicate' | 'transient' | 'noTable' | 'permanent'

/**
 * The statements of one database. Each method runs one statement on the connection, and throws what the driver throws,
 * or a `LostConnectionError` where the driver has no code. Ids are compared by their bytes, whatever the collation.
 */
export interface SqlDialect<C> {
  /** For messages: `PostgreSQL`. */
  readonly name: string
  /** @param created Unix seconds, 1 to {@link MAX_CREATED}. */
  load(connection: C, keyId: string, created: number): Promise<StoredRow | undefined>
  /** @param notAfter Unix seconds, 0 to {@link MAX_CREATED}. */
  loadLatest(connection: C, keyId: string, notAfter: number | undefined): Promise<StoredRow | undefined>
  insert(connection: C, keyId: string, created: number, keyRecord: string): Promise<void>
  /** Replaces the `key_record` of a row if it still is `from`, by its bytes; false: it is not. */
  replace(connection: C, row: KeyMeta, from: string, to: string): Promise<boolean>
  /**
   * The next {@link PAGE_ROWS} rows, or the last ones, by the bytes of their id, then by created.
   *
   * @param after Without `created`: the rows of later ids.
   */
  page(connection: C, after: AskedRow | undefined): Promise<readonly StoredRow[]>
  /** What the server says of the table and of itself; changes nothing. */
  inspect(connection: C): Promise<Inspection>
  /** Network errors need no answer here. */
  kindOf(error: unknown): ErrorKind
  /** True when the server itself answered with this error, and goes on with the connection. */
  survives(error: unknown): boolean
}

/** How a metastore behaves; all complete and checked. */
export interface SqlMetastoreSettings extends CallLimits {
  readonly maxKeyId: MaxKeyId
  readonly regionSuffix: string | undefined
  /** Reads may come from a replica that lags: a `load` that finds nothing is tried again for a while (D-053). */
  readonly readsMayLag: boolean
}

/** A {@link Metastore} in an SQL database, with every optional capability. */
export interface SqlMetastore extends Metastore {
  list(options?: Call & { readonly after?: KeyMeta }): AsyncIterable<EnvelopeKeyRecord>
  markRevoked(keyId: string, created: number, options?: Call): Promise<boolean>
  check(options?: Call & { readonly keyId?: string }): Promise<MetastoreReport>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Rows of one page of `list` and `check`. */
export const PAGE_ROWS = 1_000

/** How often `markRevoked` starts again because the row changed under it. */
const REPLACE_TRIES = 10
/** The pauses between reads of a row that a replica may not have yet; about a second in all. */
const LAG_PAUSES_MS: readonly number[] = [25, 50, 100, 200, 300, 400]

/** The metastore over one database's statements and connections. */
export function createSqlMetastore<C>(
  dialect: SqlDialect<C>,
  source: ConnectionSource<C>,
  settings: SqlMetastoreSettings,
): SqlMetastore {
  const { name } = dialect
  const { readsMayLag, maxKeyId, regionSuffix } = settings
  const attempt = createRun(source, {
    ...settings,
    survives: (error) => dialect.survives(error),
    isTransient: (error) => isNetworkError(error) || dialect.kindOf(error) === 'transient',
    hintOf: (error) =>
      dialect.kindOf(error) === 'noTable' ? 'schema.sql in the package of this metastore makes the table' : undefined,
  })
  const run = <T>(what: string, call: Call | undefined, action: (connection: C) => Promise<T>): Promise<T> =>
    attempt(`${name} ${what}`, call?.signal, action)

  const loadRow = async (
    what: string,
    key: KeyMeta,
    call: Call | undefined,
  ): Promise<{ readonly record: EnvelopeKeyRecord; readonly text: string } | null> => {
    throwIfAborted(call?.signal)
    if (key.created > MAX_CREATED) return null
    const read = () => run(what, call, (c) => dialect.load(c, key.keyId, key.created))
    let row = await read()
    for (const ms of readsMayLag ? LAG_PAUSES_MS : []) {
      if (row !== undefined) break
      await pause(ms, call?.signal)
      row = await read()
    }
    return row === undefined ? null : { record: recordOfRow(row, key), text: String(row.keyRecord) }
  }

  const insertOnce = async (record: EnvelopeKeyRecord, text: string, call: Call | undefined): Promise<boolean> => {
    let sent = 0
    const inserted = await run('store', call, async (c) => {
      sent += 1
      try {
        await dialect.insert(c, record.keyId, record.created, text)
        return true
      } catch (error) {
        if (dialect.kindOf(error) === 'duplicate') return false
        throw error
      }
    })
    if (inserted) return true
    const there = await loadRow('store', record, call)
    if (there === null) {
      throw new MetastoreError(
        `${name} store: a unique index refuses the row, though no such row is there: does the id column ignore case?`,
      )
    }
    // An earlier try may have been committed although its answer was lost: then the row is ours.
    return sent > 1 && Buffer.compare(there.record.encryptedKey, record.encryptedKey) === 0
  }

  async function* pages(call: (Call & { readonly after?: KeyMeta }) | undefined): AsyncGenerator<StoredRow> {
    let after: AskedRow | undefined = call?.after
    for (;;) {
      const from = after
      const rows = await run('list', call, (c) => dialect.page(c, from))
      for (const row of rows) {
        throwIfAborted(call?.signal)
        yield row
      }
      const last = rows.at(-1)
      if (last === undefined || rows.length < PAGE_ROWS) return
      if (typeof last.id !== 'string') throw new MetastoreError(`${name} list: a row has an id that is not text`)
      const created = secondsOf(last.seconds)
      after = created === undefined ? { keyId: last.id } : { keyId: last.id, created }
    }
  }

  const close = (): Promise<void> => source.close()

  const metastore: SqlMetastore = {
    ...(regionSuffix === undefined ? {} : { regionSuffix }),
    maxKeyId,

    async load(keyId, created, call) {
      checkKeyId(keyId)
      checkCreated(created)
      return (await loadRow('load', { keyId, created }, call))?.record ?? null
    },

    async loadLatest(keyId, call) {
      checkKeyId(keyId)
      const notAfter = checkNotAfter(call?.notAfter)
      const row = await run('loadLatest', call, (c) => dialect.loadLatest(c, keyId, notAfter))
      return row === undefined ? null : recordOfRow(row, { keyId })
    },

    async store(keyId, created, record, call) {
      checkKeyId(keyId)
      checkCreated(created)
      const text = serializeEnvelopeKeyRecord(record)
      if (record.keyId !== keyId || record.created !== created) {
        throw new InvalidInputError("keyId and created must be the record's own")
      }
      if (created > MAX_CREATED) throw new InvalidInputError(`created is at most ${MAX_CREATED}: the year 9999`)
      return insertOnce(record, text, call)
    },

    async *list(call) {
      if (call?.after !== undefined) {
        checkKeyId(call.after.keyId)
        checkCreated(call.after.created)
      }
      for await (const row of pages(call)) yield recordOfRow(row)
    },

    async markRevoked(keyId, created, call) {
      checkKeyId(keyId)
      checkCreated(created)
      const key = { keyId, created }
      for (let tries = 0; tries < REPLACE_TRIES; tries++) {
        const row = await loadRow('markRevoked', key, call)
        if (row === null) return false
        if (row.record.revoked) return true
        const to = revokedText(row.text)
        if (await run('markRevoked', call, (c) => dialect.replace(c, key, row.text, to))) return true
      }
      throw new MetastoreError(`${name} markRevoked: the row changed ${REPLACE_TRIES} times in between`)
    },

    check: (call) =>
      checkTable(metastore, {
        inspect: () => run('check', call, (c) => dialect.inspect(c)),
        rows: () => pages(call),
        call,
      }),
    close,
    [Symbol.asyncDispose]: close,
  }
  return metastore
}

function checkNotAfter(notAfter: unknown): number | undefined {
  if (notAfter === undefined) return undefined
  if (typeof notAfter !== 'number' || !Number.isFinite(notAfter)) {
    throw new InvalidInputError('notAfter must be Unix seconds')
  }
  return Math.min(Math.max(Math.floor(notAfter), 0), MAX_CREATED)
}
