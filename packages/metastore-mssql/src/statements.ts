import { PAGE_ROWS } from '@asherah/sql-shared'
import type { Layout } from './layout.ts'

/** The SQL of the metastore for one table. */
export interface StatementTexts {
  readonly load: string
  readonly loadLatest: string
  readonly loadLatestUntil: string
  readonly loadAll: string
  readonly insert: string
  readonly replace: string
  readonly firstPage: string
  readonly pageFrom: string
  readonly pageAfter: string
}

/** Orders and compares by UTF-16 units; on every version of SQL Server since 2008. */
const BINARY = 'Latin1_General_100_BIN2'

/**
 * Unix seconds as a time. In two steps, since DATEADD takes an INT, which ends in 2038. The literal is the same day
 * whatever the session's DATEFORMAT.
 */
const CREATED =
  "DATEADD(SECOND, CAST(@created AS BIGINT) % 86400, DATEADD(DAY, CAST(@created AS BIGINT) / 86400, '1970-01-01'))"

export function statementTexts({ table, id, created, keyRecord }: Layout): StatementTexts {
  // With the table's alias: in ORDER BY, `created` alone would mean the text of that name, which no index has.
  const [rowId, rowCreated] = [`k.${id}`, `k.${created}`]
  const select = `${rowId} AS id, CONVERT(NVARCHAR(33), ${rowCreated}, 126) AS created, k.${keyRecord} AS key_record FROM ${table} AS k`
  const one = `SELECT TOP (1) ${select} WHERE ${isId(rowId)}`
  const page = `SELECT TOP (${PAGE_ROWS}) ${select}`
  const order = `ORDER BY ${rowId} COLLATE ${BINARY}, LEN(${rowId} + N'.'), ${rowCreated}`
  return {
    load: `${one} AND ${rowCreated} = ${CREATED}`,
    loadLatest: `${one} ORDER BY ${rowCreated} DESC`,
    loadLatestUntil: `${one} AND ${rowCreated} <= ${CREATED} ORDER BY ${rowCreated} DESC`,
    loadAll: `SELECT ${select} WHERE ${isId(rowId)}`,
    insert: `INSERT INTO ${table} (${id}, ${created}, ${keyRecord}) VALUES (@id, ${CREATED}, @record)`,
    replace: `UPDATE ${table} SET ${keyRecord} = @to WHERE ${isId(id)} AND ${created} = ${CREATED}
AND (${keyRecord} + N'.') COLLATE ${BINARY} = CAST(@from AS NVARCHAR(MAX)) + N'.'`,
    firstPage: `${page} ${order}`,
    pageFrom: `${page} WHERE ${rowId} COLLATE ${BINARY} >= @id ${order}`,
    pageAfter: `${page} WHERE ${rowId} COLLATE ${BINARY} >= @id AND (${rowId} COLLATE ${BINARY} > @id
OR LEN(${rowId} + N'.') > LEN(@id + N'.')
OR LEN(${rowId} + N'.') = LEN(@id + N'.') AND ${rowCreated} > CAST(@after AS DATETIME2(7))) ${order}`,
  }
}

/**
 * The first term uses an index of any collation. The second is exact: SQL Server takes texts for equal that differ in
 * spaces at their end, even by binary rules, and the dot ends that.
 */
function isId(column: string): string {
  return `${column} = @id AND (${column} + N'.') COLLATE ${BINARY} = @id + N'.'`
}
