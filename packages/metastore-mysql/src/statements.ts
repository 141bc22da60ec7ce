import { PAGE_ROWS } from '@asherah/sql-shared'

/** The SQL of the metastore for one table. */
export interface StatementTexts {
  readonly load: string
  readonly loadLatest: string
  readonly loadLatestNotAfter: string
  readonly insert: string
  readonly replace: string
  readonly firstPage: string
  readonly pageAfterRow: string
  readonly pageAfterId: string
}

/** Whatever the character set and the collation of the column. */
const ID_BYTES = 'CAST(CONVERT(id USING utf8mb4) AS BINARY)'

/** Its first term uses the index; the second makes the match exact. */
const SAME_ID = `id = ? AND ${ID_BYTES} = ?`

/** The session's zone is UTC. To the microsecond, so that a fraction of a second shows. */
const SECONDS = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', created) / 1000000"
const ROW = `CONVERT(id USING utf8mb4) AS id, ${SECONDS} AS seconds, CONVERT(key_record USING utf8mb4) AS key_record`

/** @param tableName Unquoted, as `schemaName`. */
export function statementTexts(tableName: string, schemaName: string | undefined): StatementTexts {
  const table = schemaName === undefined ? quoteName(tableName) : `${quoteName(schemaName)}.${quoteName(tableName)}`
  const page = (where: string): string =>
    `SELECT ${ROW} FROM ${table} ${where} ORDER BY ${ID_BYTES}, created LIMIT ${PAGE_ROWS}`
  return {
    load: `SELECT ${ROW} FROM ${table} WHERE ${SAME_ID} AND created = ?`,
    loadLatest: `SELECT ${ROW} FROM ${table} WHERE ${SAME_ID} ORDER BY created DESC LIMIT 1`,
    loadLatestNotAfter: `SELECT ${ROW} FROM ${table} WHERE ${SAME_ID} AND created <= ? ORDER BY created DESC LIMIT 1`,
    insert: `INSERT INTO ${table} (id, created, key_record) VALUES (?, ?, ?)`,
    // A TIMESTAMP may have ON UPDATE CURRENT_TIMESTAMP, by default on older servers: the key would get a new `created`.
    replace: `UPDATE ${table} SET key_record = ?, created = created
WHERE ${SAME_ID} AND created = ? AND CAST(CONVERT(key_record USING utf8mb4) AS BINARY) = ?`,
    firstPage: page(''),
    pageAfterRow: page(`WHERE ${ID_BYTES} > ? OR (${ID_BYTES} = ? AND created > ?)`),
    pageAfterId: page(`WHERE ${ID_BYTES} > ?`),
  }
}

/** A name as SQL text. */
function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}
