import { PAGE_ROWS } from '@asherah/sql-shared'

/** The SQL of the metastore for one table. */
export interface StatementTexts {
  readonly load: string
  readonly loadLatest: string
  readonly loadLatestNotAfter: string
  readonly insert: string
  readonly replace: string
  /** Sorts the table for each page. */
  readonly pages: PageTexts
  /** Reads the primary key in order: only where the collation of the ids orders them by their bytes. */
  readonly indexedPages: PageTexts
}

/** The SQL of `list`. */
export interface PageTexts {
  readonly first: string
  readonly afterRow: string
  readonly afterId: string
}

/** Whatever the character set and the collation of the column. */
const ID_BYTES = 'CAST(CONVERT(id USING utf8mb4) AS BINARY)'

/** Its first term uses the index; the second makes the match exact. */
const SAME_ID = `id = ? AND ${ID_BYTES} = ?`

/** The session's zone is UTC. To the microsecond, so that a fraction of a second shows. */
const SECONDS = "TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', created) / 1000000"
/** No alias is the name of a column: ORDER BY would take it for that. */
const ROW = `CONVERT(id USING utf8mb4) AS key_id, ${SECONDS} AS seconds, CONVERT(key_record USING utf8mb4) AS record`

/** @param tableName Unquoted, as `schemaName`. */
export function statementTexts(tableName: string, schemaName: string | undefined): StatementTexts {
  const table = schemaName === undefined ? quoteName(tableName) : `${quoteName(schemaName)}.${quoteName(tableName)}`
  return {
    load: `SELECT ${ROW} FROM ${table} WHERE ${SAME_ID} AND created = ?`,
    loadLatest: `SELECT ${ROW} FROM ${table} WHERE ${SAME_ID} ORDER BY created DESC LIMIT 1`,
    loadLatestNotAfter: `SELECT ${ROW} FROM ${table} WHERE ${SAME_ID} AND created <= ? ORDER BY created DESC LIMIT 1`,
    insert: `INSERT INTO ${table} (id, created, key_record) VALUES (?, ?, ?)`,
    // A TIMESTAMP may have ON UPDATE CURRENT_TIMESTAMP, by default on older servers: the key would get a new `created`.
    replace: `UPDATE ${table} SET key_record = ?, created = created
WHERE ${SAME_ID} AND created = ? AND CAST(CONVERT(key_record USING utf8mb4) AS BINARY) = ?`,
    pages: pageTexts(table, ID_BYTES),
    indexedPages: pageTexts(table, 'id'),
  }
}

function pageTexts(table: string, id: string): PageTexts {
  const page = (where: string): string =>
    `SELECT ${ROW} FROM ${table} ${where} ORDER BY ${id}, created LIMIT ${PAGE_ROWS}`
  return {
    first: page(''),
    afterRow: page(`WHERE ${id} >= ? AND (${id} > ? OR created > ?)`),
    afterId: page(`WHERE ${id} > ?`),
  }
}

/** A name as SQL text. */
function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}
