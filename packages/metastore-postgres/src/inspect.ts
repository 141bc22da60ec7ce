import type { MetastoreFinding } from '@asherah/core/backend'
import { type ColumnShape, finding, type IndexShape, type Inspection } from '@asherah/sql-shared'
import type { PgResult } from './pg-types.ts'

type Query = (text: string, values: string[]) => Promise<PgResult>

const COLUMNS = `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AND NOT atthasdef AND attidentity = '' AS required
FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum`

/** A collation is exact unless it is a nondeterministic one of ICU, which older servers do not have. */
const INDEXES = `SELECT i.indexrelid AS index_id, i.indisunique AS is_unique, a.attname AS column_name,
  coalesce(c.collname, '') AS collation_name, coalesce(to_jsonb(c) ->> 'collisdeterministic', 'true') AS is_exact
FROM pg_index i
CROSS JOIN LATERAL unnest(i.indkey, i.indcollation) WITH ORDINALITY AS k (attnum, coll, place)
LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
LEFT JOIN pg_collation c ON c.oid = k.coll
WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND i.indpred IS NULL AND k.place <= i.indnkeyatts
ORDER BY i.indexrelid, k.place`

const SERVER = `SELECT current_setting('server_encoding') AS encoding,
  to_regproc('aurora_version') IS NOT NULL AS aurora, pg_is_in_recovery() AS standby`

/** What the server says of the table and of itself. */
export async function inspectTable(query: Query, table: string, isReplica: boolean): Promise<Inspection> {
  const server = (await query(SERVER, [])).rows[0] ?? {}
  const columns = await query(COLUMNS, [table])
  const indexes = await query(INDEXES, [table])
  return {
    table,
    columns: columns.rows.map(
      (row): ColumnShape => ({ name: String(row.name), type: String(row.type), required: row.required === 't' }),
    ),
    types: {
      id: /^(character|text|"char")/,
      created: /^timestamp/,
      key_record: /^(character|text|json)/,
    },
    indexes: indexShapes(indexes),
    queries: { columns: inline(COLUMNS, table), indexes: inline(INDEXES, table) },
    findings: serverFindings(server, isReplica),
  }
}

function indexShapes({ rows }: PgResult): IndexShape[] {
  const shapes = new Map<unknown, { unique: boolean; columns: string[]; collation: string; exact: boolean }>()
  for (const row of rows) {
    const shape = shapes.get(row.index_id) ?? { unique: row.is_unique === 't', columns: [], collation: '', exact: true }
    const column = String(row.column_name ?? 'an expression')
    shape.columns.push(column)
    if (column === 'id') {
      shape.collation = String(row.collation_name)
      shape.exact = row.is_exact === 'true'
    }
    shapes.set(row.index_id, shape)
  }
  return [...shapes.values()]
}

function serverFindings(server: Readonly<Record<string, unknown>>, isReplica: boolean): MetastoreFinding[] {
  const findings: MetastoreFinding[] = []
  const encoding = String(server.encoding)
  findings.push(
    encoding === 'UTF8'
      ? finding('pass', 'encoding', 'text is UTF-8')
      : finding('warn', 'encoding', `text is ${encoding}: it cannot hold every key id`, 'SHOW server_encoding'),
  )
  if (isReplica && server.aurora !== 't') {
    const message = 'this is not Aurora: replicaReadConsistency has no effect'
    findings.push(finding('warn', 'replica', message, "SELECT to_regproc('aurora_version')"))
  } else if (server.standby === 't' && !isReplica) {
    const message = 'this is a standby: rows may come late, and nothing can be stored'
    findings.push(finding('warn', 'replica', message, 'SELECT pg_is_in_recovery()'))
  }
  return findings
}

/** The statement as someone can run it by hand. */
function inline(text: string, table: string): string {
  return text.replace('$1', () => `'${table.replaceAll("'", "''")}'`)
}
