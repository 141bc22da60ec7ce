/** The SQL of the metastore for one table. Its parameters have names: Node 22.13 does not bind numbered ones. */
export interface StatementTexts {
  readonly createTable: string
  readonly loadCanonical: string
  readonly loadAny: string
  readonly loadLatest: string
  readonly store: string
  readonly revoke: string
  readonly page: string
  readonly doubles: string
}

/** The last second that SQLite's time text can say: 9999-12-31 23:59:59. */
export const MAX_CREATED = 253_402_300_799

/** Rows of one page of `list` and `check`. */
export const PAGE_ROWS = 200

const TIME_TEXT = '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][ T][0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'

/**
 * Unix seconds of a `created` value, or NULL when it is not a time.
 *
 * Rows may hold time text (ours and asherah-ffi's), ISO text or epoch integers, and TEXT sorts above INTEGER: nothing
 * may order or compare by the raw column. The GLOB keeps `unixepoch` from words such as 'now'.
 */
const SECONDS: string = `CASE typeof(created)
  WHEN 'text' THEN CASE
    WHEN created GLOB '${TIME_TEXT}' THEN unixepoch(created)
    WHEN created GLOB '[0-9]*' AND length(created) <= 15 AND created NOT GLOB '*[^0-9]*' THEN CAST(created AS INTEGER)
  END
  WHEN 'integer' THEN CASE WHEN created <= 9007199254740991 THEN created END
  WHEN 'real' THEN CASE WHEN created = CAST(created AS INTEGER) AND created <= 9007199254740991 THEN CAST(created AS INTEGER) END
END`

/** The form that we write, and the only one that asherah-ffi finds. Of two rows of one second, it comes first. */
const IS_CANONICAL = "(typeof(created) = 'text' AND created GLOB '????-??-?? ??:??:??')"

/** Named: an existing table may spell its columns in another case, and SQLite answers in that. */
const KEY_RECORD = 'key_record AS key_record'

/** The first term uses the index, whatever the column's collation; the second makes the match exact. */
const SAME_ID = 'id = $id AND id = $id COLLATE BINARY'

/** @param tableName Unquoted. */
export function statementTexts(tableName: string): StatementTexts {
  const table = quoteName(tableName)
  return {
    createTable: `CREATE TABLE IF NOT EXISTS ${table} (
  id TEXT NOT NULL,
  created TIMESTAMP NOT NULL,
  key_record TEXT NOT NULL,
  PRIMARY KEY (id, created)
)`,
    loadCanonical: `SELECT ${KEY_RECORD} FROM ${table} WHERE ${SAME_ID} AND created = $text`,
    // A row whose time cannot be read might be the one asked for: it comes last, and is not taken for missing.
    loadAny: `SELECT ${SECONDS} AS seconds, ${KEY_RECORD} FROM ${table}
WHERE ${SAME_ID} AND ((${SECONDS}) <> $created) IS NOT 1 ORDER BY seconds NULLS LAST, ${IS_CANONICAL} DESC LIMIT 1`,
    // Here it comes first: nobody can say that it is not the latest.
    loadLatest: `SELECT ${SECONDS} AS seconds, ${KEY_RECORD} FROM ${table}
WHERE ${SAME_ID} AND ((${SECONDS}) > $notAfter) IS NOT 1 ORDER BY seconds DESC NULLS FIRST, ${IS_CANONICAL} DESC LIMIT 1`,
    // One statement, so atomic: the key constraint alone does not see one second written in two ways.
    store: `INSERT INTO ${table} (id, created, key_record) SELECT $id, $text, $record
WHERE NOT EXISTS (SELECT 1 FROM ${table} WHERE ${SAME_ID} AND (${SECONDS}) = $created)`,
    // In SQL, since JSON.parse and JSON.stringify would change what they do not know: big numbers, for one.
    revoke: `UPDATE ${table} SET key_record = json_set(key_record, '$.Revoked', json('true')) WHERE ${SAME_ID} AND (${SECONDS}) = $created`,
    // The first page is the one after '': the range makes the planner walk the index.
    page: `SELECT CAST(id AS BLOB) AS id_bytes, ${SECONDS} AS seconds, ${IS_CANONICAL} AS canonical, ${KEY_RECORD}
FROM ${table} WHERE id COLLATE BINARY >= $id AND (id COLLATE BINARY > $id OR (${SECONDS}) > $created)
ORDER BY id COLLATE BINARY, seconds, ${IS_CANONICAL} DESC LIMIT ${PAGE_ROWS}`,
    doubles: `SELECT count(*) AS doubles FROM (SELECT 1 FROM ${table} GROUP BY id, (${SECONDS}) HAVING count(*) > 1)`,
  }
}

/** A name as SQL text. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Unix seconds as the time text that is stored: `YYYY-MM-DD HH:MM:SS`, UTC. */
export function timeText(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().slice(0, 19).replace('T', ' ')
}
