import type { MetastoreFinding } from '@asherah/core/backend'
import { type ColumnShape, finding, type IndexShape, type Inspection } from '@asherah/sql-shared'
import { type Layout, plainName } from './layout.ts'
import type { MssqlConnection, StatementRow } from './statement.ts'
import type { TimeZone } from './time-zone.ts'

const INDEXES_QUERY = `SELECT i.index_id AS index_id, i.is_unique AS is_unique, c.name AS column_name, c.collation_name AS collation_name
FROM sys.indexes i JOIN sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id
JOIN sys.columns c ON c.object_id = ic.object_id AND c.column_id = ic.column_id
WHERE i.object_id = OBJECT_ID(@table) AND ic.key_ordinal > 0 AND i.is_disabled = 0 AND i.has_filter = 0
ORDER BY i.index_id, ic.key_ordinal`

/** What the server says of the table; changes nothing. */
export async function inspectTable(
  connection: MssqlConnection,
  layout: Layout,
  zone: TimeZone | undefined,
): Promise<Inspection> {
  const { rows } = await connection.run(INDEXES_QUERY, { table: layout.table })
  return {
    table: layout.table,
    columns: layout.columns.map(columnOf),
    types: { id: /^n?varchar\b/i, created: /^datetime2?\b/i, key_record: /^n?varchar\b/i },
    indexes: indexesOf(rows),
    queries: {
      columns: `SELECT * FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = PARSENAME('${layout.table.replaceAll("'", "''")}', 1)`,
      indexes: `EXEC sp_helpindex N'${layout.table.replaceAll("'", "''")}'`,
    },
    findings: findingsOf(layout, zone),
  }
}

function columnOf(row: StatementRow): ColumnShape {
  const length = row.CHARACTER_MAXIMUM_LENGTH
  const size = typeof length === 'number' ? `(${length < 0 ? 'max' : length})` : ''
  return {
    name: plainName(row.COLUMN_NAME),
    type: `${String(row.DATA_TYPE)}${size}`,
    required: row.IS_NULLABLE === 'NO' && row.COLUMN_DEFAULT === null,
  }
}

function indexesOf(rows: readonly StatementRow[]): IndexShape[] {
  const ids = [...new Set(rows.map((row) => row.index_id))]
  return ids.map((indexId) => {
    const keys = rows.filter((row) => row.index_id === indexId)
    const columns = keys.map((key) => plainName(key.column_name))
    const id = keys.find((key) => plainName(key.column_name) === 'id')
    const collation = String(id?.collation_name ?? '')
    return { columns, unique: isYes(keys[0]?.is_unique), collation, exact: /_BIN2?(_UTF8)?$/i.test(collation) }
  })
}

function isYes(bit: unknown): boolean {
  return bit === true || bit === 1
}

function findingsOf(layout: Layout, zone: TimeZone | undefined): MetastoreFinding[] {
  const findings: MetastoreFinding[] = []
  const keyRecord = layout.columns.find((row) => plainName(row.COLUMN_NAME) === 'key_record')
  if (layout.isNarrow) {
    const message =
      'the id column is VARCHAR, not NVARCHAR: ids beyond ASCII are refused, and every lookup reads the whole index'
    findings.push(finding('warn', 'unicode', message))
  } else if (layout.columns.length > 0) findings.push(finding('pass', 'unicode', 'ids are Unicode text'))
  if (/^varchar$/i.test(String(keyRecord?.DATA_TYPE))) {
    const message = 'the key_record column is VARCHAR, not NVARCHAR: a parent id beyond ASCII would be changed'
    findings.push(finding('warn', 'unicode', message))
  }
  const { CHARACTER_MAXIMUM_LENGTH: length } = keyRecord ?? {}
  if (typeof length === 'number' && length >= 0) {
    const message = `the key_record column holds ${length} characters: long parent ids may not fit; NVARCHAR(MAX) holds all`
    findings.push(finding('warn', 'length', message))
  }
  if (zone !== undefined) {
    const message =
      'the created column is read and written as local time: two keys of one id cannot be told apart in an hour that the clock repeats'
    findings.push(finding('warn', 'local-time', message))
  }
  return findings
}
