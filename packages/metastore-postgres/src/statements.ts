import { PAGE_ROWS } from '@asherah/sql-shared'

/** The SQL of the metastore for one table. */
export interface StatementTexts {
  readonly table: string
  readonly load: string
  readonly loadLatest: string
  readonly loadLatestNotAfter: string
  readonly insert: string
  readonly replace: string
  readonly firstPage: string
  readonly pageAfterRow: string
  readonly pageAfterId: string
}

/** Its first term uses the index, whatever the column's collation; the second makes the match exact. */
const SAME_ID = 'id = $1 AND id COLLATE "C" = $1'

/** Seconds since 1970 of a `timestamp` read as UTC, and of a `timestamptz`: the session's zone has no part in either. */
const ROW = 'id, extract(epoch FROM created) AS seconds, key_record::text AS key_record'

/** @param tableName Unquoted, as `schemaName`. */
export function statementTexts(tableName: string, schemaName: string | undefined): StatementTexts {
  const table = schemaName === undefined ? quoteName(tableName) : `${quoteName(schemaName)}.${quoteName(tableName)}`
  const page = (where: string): string =>
    `SELECT ${ROW} FROM ${table} ${where} ORDER BY id COLLATE "C", created LIMIT ${PAGE_ROWS}`
  return {
    table,
    load: `SELECT ${ROW} FROM ${table} WHERE ${SAME_ID} AND created = $2`,
    loadLatest: `SELECT ${ROW} FROM ${table} WHERE ${SAME_ID} ORDER BY created DESC LIMIT 1`,
    loadLatestNotAfter: `SELECT ${ROW} FROM ${table} WHERE ${SAME_ID} AND created <= $2 ORDER BY created DESC LIMIT 1`,
    insert: `INSERT INTO ${table} (id, created, key_record) VALUES ($1, $2, $3)`,
    replace: `UPDATE ${table} SET key_record = $4 WHERE ${SAME_ID} AND created = $2 AND key_record::text COLLATE "C" = $3`,
    firstPage: page(''),
    pageAfterRow: page('WHERE (id COLLATE "C", created) > ($1, $2)'),
    pageAfterId: page('WHERE id COLLATE "C" > $1'),
  }
}

/** A name as SQL text. */
function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
