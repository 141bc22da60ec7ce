import type { MetastoreFinding } from '@asherah/core/backend'
import { finding, type IndexShape, type Inspection } from '@asherah/sql-shared'
import { type Layout, plainName } from './layout.ts'
import type { Session, SessionRow } from './session.ts'

const INDEXES_QUERY = `SELECT c.index_name AS "index_name", i.uniqueness AS "uniqueness", c.column_name AS "column_name"
FROM all_ind_columns c JOIN all_indexes i ON i.owner = c.index_owner AND i.index_name = c.index_name
WHERE c.table_owner = :owner AND c.table_name = :name AND i.status IN ('VALID', 'N/A')
ORDER BY c.index_owner, c.index_name, c.column_position`

const SESSION_QUERY = `SELECT parameter AS "parameter", value AS "value" FROM nls_session_parameters
WHERE parameter IN ('NLS_COMP', 'NLS_SORT')
UNION ALL SELECT parameter, value FROM nls_database_parameters WHERE parameter = 'NLS_CHARACTERSET'`

/** What the server says of the table and the session; changes nothing. */
export async function inspectTable(session: Session, layout: Layout): Promise<Inspection> {
  const { owner, name, table, columns } = layout
  const indexes = await session.run(INDEXES_QUERY, { owner, name })
  const parameters = await session.run(SESSION_QUERY, {})
  const where = `WHERE table_name = '${name.replaceAll("'", "''")}'`
  return {
    table,
    columns: columns.map((row) => ({
      name: plainName(row.column_name),
      type: String(row.data_type),
      required: row.nullable === 'N' && row.default_length === null,
    })),
    types: { id: /^VARCHAR2$/i, created: /^(TIMESTAMP|DATE)/i, key_record: /^(N?CLOB|N?VARCHAR2)$/i },
    indexes: indexesOf(indexes.rows),
    queries: {
      columns: `SELECT * FROM all_tab_columns ${where}`,
      indexes: `SELECT * FROM all_ind_columns ${where}`,
    },
    findings: parameters.rows.map(sessionFinding),
  }
}

function indexesOf(rows: readonly SessionRow[]): IndexShape[] {
  const names = [...new Set(rows.map((row) => row.index_name))]
  return names.map((name) => {
    const keys = rows.filter((row) => row.index_name === name)
    return {
      columns: keys.map((key) => plainName(key.column_name)),
      unique: keys[0]?.uniqueness === 'UNIQUE',
      collation: 'BINARY',
      exact: true,
    }
  })
}

const SOUND: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['NLS_COMP', ['BINARY']],
  ['NLS_SORT', ['BINARY']],
  ['NLS_CHARACTERSET', ['AL32UTF8']],
])

function sessionFinding({ parameter, value }: SessionRow): MetastoreFinding {
  const shown = `${String(parameter)} is ${String(value)}`
  if (SOUND.get(parameter)?.includes(String(value)) === true) return finding('pass', 'session', shown)
  const message =
    parameter === 'NLS_CHARACTERSET'
      ? `${shown}: ids that it does not hold would be changed, and list is not ordered by UTF-8 bytes; AL32UTF8 is right`
      : `${shown} in the sessions of the given pool: list is not ordered by bytes; BINARY is right`
  return finding('warn', 'session', message, 'SELECT * FROM nls_session_parameters')
}
