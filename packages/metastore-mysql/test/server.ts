import { createConnection } from 'mysql2/promise'

/** How a test's table differs from `schema.sql`. */
export interface TableOptions {
  readonly tableName?: string
  readonly keyRecord?: 'TEXT' | 'JSON' | 'LONGTEXT'
  readonly created?: string
  readonly id?: string
}

/** Runs one statement on a connection of its own, in UTC. */
export async function execute(
  url: string,
  sql: string,
  values: (string | number)[] = [],
): Promise<Record<string, unknown>[]> {
  const connection = await createConnection({ uri: url, timezone: 'Z' })
  try {
    await connection.query("SET time_zone = '+00:00'")
    const [rows] = await connection.query(sql, values)
    return Array.isArray(rows) ? rows.map((row: unknown) => ({ ...Object(row) })) : []
  } finally {
    await connection.end()
  }
}

/** The table, if it is not there yet. */
export async function createTable(url: string, options: TableOptions = {}): Promise<void> {
  const { tableName = 'encryption_key', keyRecord = 'TEXT', created = 'TIMESTAMP' } = options
  const {
    id = 'VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!100202 COLLATE utf8mb4_nopad_bin */',
  } = options
  await execute(
    url,
    `CREATE TABLE IF NOT EXISTS \`${tableName}\` (
  id ${id} NOT NULL,
  created ${created} NOT NULL DEFAULT CURRENT_TIMESTAMP,
  key_record ${keyRecord === 'TEXT' ? 'TEXT CHARACTER SET utf8mb4' : keyRecord} NOT NULL,
  PRIMARY KEY (id, created)
)`,
  )
}
