import pg from 'pg'

/** How a test's table differs from `schema.sql`. */
export interface TableOptions {
  readonly tableName?: string
  readonly keyRecord?: 'TEXT' | 'JSON' | 'JSONB'
  readonly created?: 'TIMESTAMP' | 'TIMESTAMPTZ'
  readonly collation?: string
}

/** Runs one statement on a connection of its own, in UTC. */
export async function execute(url: string, text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, options: '-c timezone=UTC' })
  await client.connect()
  try {
    return (await client.query<Record<string, unknown>>(text, values)).rows
  } finally {
    await client.end()
  }
}

/** The table, if it is not there yet. */
export async function createTable(url: string, options: TableOptions = {}): Promise<void> {
  const { tableName = 'encryption_key', keyRecord = 'TEXT', created = 'TIMESTAMP', collation = 'C' } = options
  await execute(
    url,
    `CREATE TABLE IF NOT EXISTS "${tableName}" (
  id VARCHAR(255) COLLATE "${collation}" NOT NULL,
  created ${created} NOT NULL DEFAULT CURRENT_TIMESTAMP,
  key_record ${keyRecord} NOT NULL,
  PRIMARY KEY (id, created)
)`,
  )
}
