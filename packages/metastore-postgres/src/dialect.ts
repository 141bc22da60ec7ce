import { codeOf, type ErrorKind, type SqlDialect, type StoredRow } from '@asherah/sql-shared'
import { inspectTable } from './inspect.ts'
import type { PgClient, PgResult } from './pg-types.ts'
import { createPreparedQuery, query } from './prepared.ts'
import type { StatementTexts } from './statements.ts'

const UNIQUE_VIOLATION = '23505'
const UNDEFINED_TABLE = '42P01'

/** What passes: the statement took no effect, or the outcome is not known. */
const TRANSIENT: ReadonlySet<unknown> = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '53300', // too_many_connections
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
  '57P05', // idle_session_timeout
  '25006', // read_only_sql_transaction: after a failover this connection may be to the old primary
  '08000', // connection_exception, and its kinds
  '08001',
  '08003',
  '08004',
  '08006',
  '08007',
  '08P01', // PgBouncer's answer wherever its own connection to the server failed, or did not come in time
])

/** What the server says of the connection, not of the statement: another one may be better off. */
const OF_CONNECTION = /^(08...|25006)$/

/**
 * The statements of PostgreSQL.
 *
 * @param isPrepared Those that run often do so by a name.
 */
export function createDialect(
  texts: StatementTexts,
  { isReplica, isPrepared }: { readonly isReplica: boolean; readonly isPrepared: boolean },
): SqlDialect<PgClient> {
  const often = isPrepared ? createPreparedQuery() : query
  return {
    name: 'PostgreSQL',
    load: async (c, keyId, created) => rowOf(await often(c, texts.load, [keyId, timestamp(created)])),
    async loadLatest(c, keyId, notAfter) {
      if (notAfter === undefined) return rowOf(await often(c, texts.loadLatest, [keyId]))
      return rowOf(await often(c, texts.loadLatestNotAfter, [keyId, timestamp(notAfter)]))
    },
    async insert(c, keyId, created, keyRecord) {
      await often(c, texts.insert, [keyId, timestamp(created), keyRecord])
    },
    async replace(c, { keyId, created }, from, to) {
      const result = await query(c, texts.replace, [keyId, timestamp(created), from, to])
      return result.rowCount === 1
    },
    async page(c, after) {
      const page =
        after === undefined
          ? await query(c, texts.firstPage, [])
          : after.created === undefined
            ? await query(c, texts.pageAfterId, [after.keyId])
            : await query(c, texts.pageAfterRow, [after.keyId, timestamp(after.created)])
      return page.rows.map(storedRow)
    },
    inspect: (c) => inspectTable((text, values) => query(c, text, values), texts.table, isReplica),
    kindOf(error): ErrorKind {
      const code = codeOf(error)
      if (code === UNIQUE_VIOLATION) return 'duplicate'
      if (code === UNDEFINED_TABLE) return 'noTable'
      return TRANSIENT.has(code) ? 'transient' : 'permanent'
    },
    survives: (error) => severityOf(error) === 'ERROR' && !OF_CONNECTION.test(String(codeOf(error))),
  }
}

/** The server's own errors have a severity beside their SQLSTATE. */
function severityOf(error: unknown): unknown {
  return error instanceof Error && 'severity' in error ? error.severity : undefined
}

function rowOf(result: PgResult): StoredRow | undefined {
  const row = result.rows[0]
  return row === undefined ? undefined : storedRow(row)
}

function storedRow(row: Readonly<Record<string, unknown>>): StoredRow {
  return { id: row.id, seconds: row.seconds, keyRecord: row.key_record }
}

/** A `timestamp` ignores the zone, and a `timestamptz` takes it: both hold this very instant of UTC. */
function timestamp(seconds: number): string {
  return new Date(seconds * 1_000).toISOString()
}
