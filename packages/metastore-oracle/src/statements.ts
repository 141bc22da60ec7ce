import { PAGE_ROWS } from '@asherah/sql-shared'
import type { Layout } from './layout.ts'

/** The SQL of the metastore for one table. */
export interface StatementTexts {
  readonly load: string
  readonly loadLatest: string
  readonly loadLatestUntil: string
  readonly insert: string
  readonly replace: string
  readonly firstPage: string
  readonly pageAfter: string
  readonly pageAfterId: string
}

/** Unix seconds as a TIMESTAMP without a zone: no session setting changes it. */
const CREATED = "(TIMESTAMP '1970-01-01 00:00:00' + NUMTODSINTERVAL(:created, 'SECOND'))"

export function statementTexts({ table, id, created, keyRecord }: Layout): StatementTexts {
  // With the table's alias: in ORDER BY, a column's name alone may mean the text that is selected under it.
  const [rowId, rowCreated] = [`k.${id}`, `k.${created}`]
  const time = `TO_CHAR(CAST(${rowCreated} AS TIMESTAMP(6)), 'YYYY-MM-DD"T"HH24:MI:SS.FF6')`
  const select = `SELECT ${rowId} AS "id", ${time} AS "created", k.${keyRecord} AS "key_record" FROM ${table} k`
  const one = 'FETCH FIRST 1 ROWS ONLY'
  const page = `ORDER BY ${rowId}, ${rowCreated} FETCH FIRST ${PAGE_ROWS} ROWS ONLY`
  const isId = isIdOf(rowId)
  return {
    load: `${select} WHERE ${isId} AND ${rowCreated} = ${CREATED} ${one}`,
    loadLatest: `${select} WHERE ${isId} ORDER BY ${rowCreated} DESC ${one}`,
    loadLatestUntil: `${select} WHERE ${isId} AND ${rowCreated} <= ${CREATED} ORDER BY ${rowCreated} DESC ${one}`,
    insert: `INSERT INTO ${table} (${id}, ${created}, ${keyRecord}) VALUES (:id, ${CREATED}, :record)`,
    replace: `UPDATE ${table} SET ${keyRecord} = :to_text WHERE ${isIdOf(id)} AND ${created} = ${CREATED}
AND DBMS_LOB.COMPARE(TO_CLOB(${keyRecord}), :from_text) = 0`,
    firstPage: `${select} ${page}`,
    pageAfter: `${select} WHERE ${rowId} > :id OR (${rowId} = :id AND ${rowCreated} > ${CREATED}) ${page}`,
    pageAfterId: `${select} WHERE ${rowId} > :id ${page}`,
  }
}

/** Exact, also where NLS_COMP or the column's collation is not binary. */
function isIdOf(column: string): string {
  return `${column} = :id AND NLSSORT(${column}, 'NLS_SORT=BINARY') = NLSSORT(:id, 'NLS_SORT=BINARY')`
}
