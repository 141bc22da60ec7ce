import type { Metastore } from '@asherah/core/backend'
import { createMysqlMetastore } from '@asherah/metastore-mysql'
import { createPostgresMetastore } from '@asherah/metastore-postgres'
import type { SqlServer } from '@asherah/testing/services'
import type { VectorRow } from '@asherah/testing/tools'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'

/** A database with an empty table as the documentation of Asherah has it. */
export interface SqlDatabase {
  readonly url: string
  /** The same for JDBC. */
  readonly jdbcUrl: string
  /** Ours, over the table. */
  createMetastore(): Metastore
  /** Puts rows in as their writer stored them. */
  insert(rows: readonly VectorRow[]): Promise<void>
  select(statement: string): Promise<readonly unknown[]>
}

/** The type of the `key_record` column; Rust needs JSONB. */
export type KeyRecordType = 'TEXT' | 'JSONB'

let databases = 0

/** A new database of a PostgreSQL server. */
export async function postgresDatabase(server: SqlServer, keyRecord: KeyRecordType): Promise<SqlDatabase> {
  const name = `interop_${++databases}`
  const url = server.url.replace(/\/[^/]*$/, `/${name}`)
  const run = async (to: string, text: string, values: string[] = []): Promise<unknown[]> => {
    const client = new pg.Client({ connectionString: to })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(text, values)).rows
    } finally {
      await client.end()
    }
  }
  await run(server.url, `CREATE DATABASE ${name}`)
  await run(url, tableOf(keyRecord, ''))
  return {
    url,
    jdbcUrl: jdbcUrlOf('postgresql', server, name),
    createMetastore: () => createPostgresMetastore({ connectionString: url }),
    async insert(rows) {
      for (const row of rows) await run(url, 'INSERT INTO encryption_key VALUES ($1, $2, $3)', columnsOf(row))
    },
    select: (statement) => run(url, statement),
  }
}

/** A new database of a MySQL or MariaDB server. */
export async function mysqlDatabase(server: SqlServer): Promise<SqlDatabase> {
  const name = `interop_${++databases}`
  const url = server.url.replace(/\/[^/]*$/, `/${name}`)
  const run = async (to: string, sql: string, values: string[] = []): Promise<unknown[]> => {
    const connection = await createConnection({ uri: to })
    try {
      await connection.query("SET time_zone = '+00:00'")
      const [rows] = await connection.query(sql, values)
      return Array.isArray(rows) ? rows : []
    } finally {
      await connection.end()
    }
  }
  await run(server.url, `CREATE DATABASE ${name}`)
  await run(url, tableOf('TEXT', ' CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'))
  return {
    url,
    jdbcUrl: jdbcUrlOf('mariadb', server, name),
    createMetastore: () => createMysqlMetastore({ connectionString: url }),
    async insert(rows) {
      for (const row of rows) await run(url, 'INSERT INTO encryption_key VALUES (?, ?, ?)', columnsOf(row))
    },
    select: (statement) => run(url, statement),
  }
}

/** As the peers' documentation creates it. */
function tableOf(keyRecord: KeyRecordType, suffix: string): string {
  return `CREATE TABLE encryption_key (
  id VARCHAR(255) NOT NULL,
  created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  key_record ${keyRecord} NOT NULL,
  PRIMARY KEY (id, created)
)${suffix}`
}

function jdbcUrlOf(kind: string, { host, port, user, password }: SqlServer, database: string): string {
  return `jdbc:${kind}://${host}:${port}/${database}?user=${user}&password=${password}`
}

function columnsOf({ id, createdSqlUtc, keyRecord }: VectorRow): string[] {
  if (createdSqlUtc === undefined || keyRecord === undefined) throw new Error(`${id} is not a row of an SQL table`)
  return [id, createdSqlUtc, keyRecord]
}
