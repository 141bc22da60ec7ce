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

/** Exact, also where NLS_COMP or the column's collation is not binary. */
function bytesOf(text: string): string {
  return `NLSSORT(${text}, 'NLS_SORT=BINARY')`
}

export function statementTexts({ table, id, created, keyRecord }: Layout): StatementTexts {
  const time = `TO_CHAR(CAST(${created} AS TIMESTAMP(6)), 'YYYY-MM-DD"T"HH24:MI:SS.FF6')`
  const select = `SELECT ${id} AS "id", ${time} AS "created", ${keyRecord} AS "key_record" FROM ${table}`
  const isId = `${id} = :id AND ${bytesOf(id)} = ${bytesOf(':id')}`
  const one = 'FETCH FIRST 1 ROWS ONLY'
  const page = `ORDER BY ${id}, ${created} FETCH FIRST ${PAGE_ROWS} ROWS ONLY`
  return {
    load: `${select} WHERE ${isId} AND ${created} = ${CREATED} ${one}`,
    loadLatest: `${select} WHERE ${isId} ORDER BY ${created} DESC ${one}`,
    loadLatestUntil: `${select} WHERE ${isId} AND ${created} <= ${CREATED} ORDER BY ${created} DESC ${one}`,
    insert: `INSERT INTO ${table} (${id}, ${created}, ${keyRecord}) VALUES (:id, ${CREATED}, :record)`,
    replace: `UPDATE ${table} SET ${keyRecord} = :to_text WHERE ${isId} AND ${created} = ${CREATED}
AND DBMS_LOB.COMPARE(TO_CLOB(${keyRecord}), :from_text) = 0`,
    firstPage: `${select} ${page}`,
    pageAfter: `${select} WHERE ${id} > :id OR (${id} = :id AND ${created} > ${CREATED}) ${page}`,
    pageAfterId: `${select} WHERE ${id} > :id ${page}`,
  }
}
