import {
  codeOf,
  type ErrorKind,
  isNetworkError,
  LostConnectionError,
  type SqlDialect,
  type StoredRow,
  utcText,
} from '@asherah/sql-shared'
import { idCollation, inspectTable, ordersByBytes } from './inspect.ts'
import type { MysqlClient, MysqlValue } from './mysql-types.ts'
import { statementTexts } from './statements.ts'

const DUPLICATE_ENTRY = 1062
const NO_SUCH_TABLE = 1146

/** What passes: the statement took no effect, or the outcome is not known. */
const TRANSIENT: ReadonlySet<number> = new Set([
  1040, // too many connections
  1053, // server shutdown in progress
  1203, // this user has too many connections
  1205, // lock wait timeout
  1213, // deadlock
  1290, // running with --read-only: after a failover this connection may be to the old primary
  1317, // query execution was interrupted
  1836, // running in read-only mode
  1927, // connection was killed (MariaDB)
  4031, // disconnected by the server because of inactivity
])

/** After these the connection is not used again. */
const ENDS_CONNECTION: ReadonlySet<number> = new Set([1040, 1053, 1203, 1290, 1836, 1927, 4031])

/** What `mysql2` says of a connection that ended. */
const DRIVER_LOST: ReadonlySet<unknown> = new Set(['PROTOCOL_CONNECTION_LOST', 'PROTOCOL_SEQUENCE_TIMEOUT'])

type Row = Readonly<Record<string, unknown>>

/** Where the table is; names are unquoted. */
export interface TableName {
  readonly tableName: string
  readonly schemaName: string | undefined
}

/** The statements of MySQL and MariaDB. */
export function createDialect(table: TableName): SqlDialect<MysqlClient> {
  const texts = statementTexts(table.tableName, table.schemaName)
  let isIndexed: boolean | undefined
  return {
    name: 'MySQL',
    load: async (c, keyId, created) => rowsOf(await run(c, texts.load, [...same(keyId), utcText(created)]))[0],
    async loadLatest(c, keyId, notAfter) {
      if (notAfter === undefined) return rowsOf(await run(c, texts.loadLatest, same(keyId)))[0]
      return rowsOf(await run(c, texts.loadLatestNotAfter, [...same(keyId), utcText(notAfter)]))[0]
    },
    async insert(c, keyId, created, keyRecord) {
      await run(c, texts.insert, [keyId, utcText(created), keyRecord])
    },
    async replace(c, { keyId, created }, from, to) {
      const result = await run(c, texts.replace, [to, ...same(keyId), utcText(created), Buffer.from(from)])
      return Object(result).affectedRows === 1
    },
    async page(c, after) {
      // The ids themselves have this order where the bytes do, and only they have an index.
      isIndexed ??= ordersByBytes(await idCollation((sql, values) => list(c, sql, values), table))
      const { first, afterRow, afterId } = isIndexed ? texts.indexedPages : texts.pages
      if (after === undefined) return rowsOf(await run(c, first, []))
      const id = isIndexed ? after.keyId : Buffer.from(after.keyId)
      if (after.created === undefined) return rowsOf(await run(c, afterId, [id]))
      return rowsOf(await run(c, afterRow, [id, id, utcText(after.created)]))
    },
    inspect: (c) => inspectTable((sql, values) => list(c, sql, values), table),
    kindOf(error): ErrorKind {
      const number = serverErrorNumber(error)
      if (number === DUPLICATE_ENTRY) return 'duplicate'
      if (number === NO_SUCH_TABLE) return 'noTable'
      return number !== undefined && TRANSIENT.has(number) ? 'transient' : 'permanent'
    },
    survives(error) {
      const number = serverErrorNumber(error)
      return number !== undefined && !ENDS_CONNECTION.has(number)
    },
  }
}

/** Runs one prepared statement. */
async function run(client: MysqlClient, sql: string, values: MysqlValue[]): Promise<unknown> {
  try {
    const [result] = await client.execute(sql, values)
    return result
  } catch (error) {
    throw asLost(error)
  }
}

/** What `mysql2` says of a connection that ended, as the shared code knows it. */
export function asLost(error: unknown): unknown {
  const code = codeOf(error)
  if (serverErrorNumber(error) !== undefined || isNetworkError(error)) return error
  if (code !== undefined && !DRIVER_LOST.has(code)) return error
  return new LostConnectionError(error instanceof Error ? error.message : 'the connection ended', { cause: error })
}

/** The number of an error that the server itself answered with. */
function serverErrorNumber(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errno' in error) || !('sqlState' in error)) return undefined
  return typeof error.errno === 'number' && typeof error.sqlState === 'string' ? error.errno : undefined
}

async function list(client: MysqlClient, sql: string, values: MysqlValue[]): Promise<readonly Row[]> {
  return listOf(await run(client, sql, values))
}

/** The values of `SAME_ID`. */
function same(keyId: string): MysqlValue[] {
  return [keyId, Buffer.from(keyId)]
}

function rowsOf(result: unknown): StoredRow[] {
  return listOf(result).map((row) => ({ id: row.key_id, seconds: row.seconds, keyRecord: row.record }))
}

function listOf(result: unknown): Row[] {
  return Array.isArray(result) ? result.filter(isRow) : []
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null
}
