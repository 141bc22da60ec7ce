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
  // The first term uses an index of any collation. The second is exact: SQL Server takes texts for equal that differ in
  // spaces at their end, even by binary rules, and the dot ends that.
  const isId = `${id} = @id AND (${id} + N'.') COLLATE ${BINARY} = @id + N'.'`
  const row = `${id} AS id, CONVERT(NVARCHAR(33), ${created}, 126) AS created, ${keyRecord} AS key_record`
  const order = `ORDER BY ${id} COLLATE ${BINARY}, LEN(${id} + N'.'), ${created}`
  const page = `SELECT TOP (${PAGE_ROWS}) ${row} FROM ${table}`
  return {
    load: `SELECT TOP (1) ${row} FROM ${table} WHERE ${isId} AND ${created} = ${CREATED}`,
    loadLatest: `SELECT TOP (1) ${row} FROM ${table} WHERE ${isId} ORDER BY ${created} DESC`,
    loadLatestUntil: `SELECT TOP (1) ${row} FROM ${table} WHERE ${isId} AND ${created} <= ${CREATED} ORDER BY ${created} DESC`,
    loadAll: `SELECT ${row} FROM ${table} WHERE ${isId}`,
    insert: `INSERT INTO ${table} (${id}, ${created}, ${keyRecord}) VALUES (@id, ${CREATED}, @record)`,
    replace: `UPDATE ${table} SET ${keyRecord} = @to WHERE ${isId} AND ${created} = ${CREATED}
AND (${keyRecord} + N'.') COLLATE ${BINARY} = CAST(@from AS NVARCHAR(MAX)) + N'.'`,
    firstPage: `${page} ${order}`,
    pageFrom: `${page} WHERE ${id} COLLATE ${BINARY} >= @id ${order}`,
    pageAfter: `${page} WHERE ${id} COLLATE ${BINARY} >= @id AND (${id} COLLATE ${BINARY} > @id
OR LEN(${id} + N'.') > LEN(@id + N'.') OR LEN(${id} + N'.') = LEN(@id + N'.') AND ${created} > CAST(@after AS DATETIME2(7))) ${order}`,
  }
}
