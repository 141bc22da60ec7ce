import type { MetastoreFinding } from '@asherah/core/backend'
import { finding, type IndexShape, type Inspection } from '@asherah/sql-shared'
import type { TableName } from './dialect.ts'

type Row = Readonly<Record<string, unknown>>
type Query = (sql: string, values: string[]) => Promise<readonly Row[]>

const COLUMNS = `SELECT column_name AS name, column_type AS type, extra AS extra,
  is_nullable = 'NO' AND column_default IS NULL AND extra NOT LIKE '%auto_increment%' AS required
FROM information_schema.columns WHERE table_schema = coalesce(nullif(?, ''), database()) AND table_name = ? ORDER BY ordinal_position`

const INDEXES = `SELECT index_name AS name, non_unique AS non_unique, column_name AS column_name, sub_part AS part
FROM information_schema.statistics WHERE table_schema = coalesce(nullif(?, ''), database()) AND table_name = ?
ORDER BY index_name, seq_in_index`

const SERVER = 'SELECT @@session.time_zone AS zone, @@global.read_only AS read_only'

const ID_COLLATION = `SELECT collation_name AS collation FROM information_schema.columns
WHERE table_schema = coalesce(nullif(?, ''), database()) AND table_name = ? AND lower(column_name) = 'id'`

/** The collation of the ids; `binary` for a column of bytes. */
export async function idCollation(query: Query, { tableName, schemaName }: TableName): Promise<string> {
  const [column] = await query(ID_COLLATION, [schemaName ?? '', tableName])
  return String(column?.collation ?? 'binary')
}

/** True for the collations that order text as UTF-8 orders its bytes; a `_bin` that pads with spaces does not. */
export function ordersByBytes(collation: string): boolean {
  return /^(utf8mb4_0900_bin|(utf8|utf8mb3|utf8mb4)_nopad_bin)$/.test(collation)
}

/** What the server says of the table and of itself. */
export async function inspectTable(query: Query, { tableName, schemaName }: TableName): Promise<Inspection> {
  const values = [schemaName ?? '', tableName]
  const server = (await query(SERVER, []))[0] ?? {}
  const columns = await query(COLUMNS, values)
  const indexes = await query(INDEXES, values)
  const collation = await idCollation(query, { tableName, schemaName })
  return {
    table: schemaName === undefined ? tableName : `${schemaName}.${tableName}`,
    columns: columns.map((row) => ({
      name: String(row.name),
      type: String(row.type),
      required: Number(row.required) === 1,
    })),
    types: {
      id: /^(var)?(char|binary)|text/,
      created: /^(timestamp|datetime)/,
      key_record: /char|text|json/,
    },
    indexes: indexShapes(indexes, collation),
    queries: { columns: inline(COLUMNS, values), indexes: inline(INDEXES, values) },
    findings: serverFindings(server, columns, collation),
  }
}

function indexShapes(rows: readonly Row[], collation: string): IndexShape[] {
  const shapes = new Map<unknown, { unique: boolean; columns: string[]; whole: boolean }>()
  for (const row of rows) {
    const shape = shapes.get(row.name) ?? { unique: Number(row.non_unique) === 0, columns: [], whole: true }
    shape.columns.push(String(row.column_name).toLowerCase())
    shape.whole &&= row.part === null
    shapes.set(row.name, shape)
  }
  const exact = collation === 'binary' || collation.endsWith('_bin')
  return [...shapes.values()].map(({ unique, columns, whole }) => ({
    columns,
    unique: unique && whole,
    collation,
    exact,
  }))
}

function serverFindings(server: Row, columns: readonly Row[], collation: string): MetastoreFinding[] {
  const findings: MetastoreFinding[] = []
  if (server.zone === '+00:00') findings.push(finding('pass', 'session', 'the session is in UTC'))
  else findings.push(finding('fail', 'session', `the session is in ${String(server.zone)}`, 'SELECT @@time_zone'))
  if (!/^(utf8mb4|binary)/.test(collation)) {
    const message = `ids are kept in ${collation}: it cannot hold every key id`
    findings.push(finding('warn', 'encoding', message, 'SHOW FULL COLUMNS'))
  }
  const created = columns.find((row) => isNamed(row.name, 'created'))
  if (/on update/i.test(String(created?.extra))) {
    const message = 'created changes whenever a row is updated: keep others from updating rows'
    findings.push(finding('warn', 'created', message, 'SHOW FULL COLUMNS'))
  }
  if (Number(server.read_only) === 1) {
    const message = 'the server is read-only: nothing can be stored'
    findings.push(finding('warn', 'replica', message, 'SELECT @@global.read_only'))
  }
  return findings
}

function isNamed(name: unknown, expected: string): boolean {
  return String(name).toLowerCase() === expected
}

/** The statement as someone can run it by hand. */
function inline(sql: string, values: readonly string[]): string {
  return values.reduce((text, value) => text.replace('?', () => `'${value.replaceAll("'", "''")}'`), sql)
}
