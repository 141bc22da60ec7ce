import { randomUUID } from 'node:crypto'
import { createMssqlMetastore, type MssqlMetastore, type MssqlMetastoreOptions } from '@asherah/metastore-mssql'
import type { MssqlServer } from '@asherah/testing/services'
import { Connection, Request, TYPES } from 'tedious'

/** How a test's table differs from `schema.sql`. */
export interface TableOptions {
  readonly idType?: string
  readonly createdType?: string
  readonly recordType?: string
  /** The names of the three columns. */
  readonly names?: readonly [string, string, string]
  readonly collation?: string
  readonly key?: string
}

/** The options of a metastore on a test's server. */
export function optionsFor(server: MssqlServer, options: MssqlMetastoreOptions = {}): MssqlMetastoreOptions {
  const { host, port, user, password, database, ca } = server
  return {
    config: { host, port, user, password, database },
    tls: ca === undefined ? { allowUnverifiedCertificate: true } : { ca },
    ...options,
  }
}

export function metastoreOn(server: MssqlServer, options: MssqlMetastoreOptions = {}): MssqlMetastore {
  return createMssqlMetastore(optionsFor(server, options))
}

/** The table of `schema.sql` under another name, or one that differs from it as told. Gives its name. */
export async function createTable(server: MssqlServer, options: TableOptions = {}): Promise<string> {
  const tableName = `keys_${randomUUID()}`
  await execute(server, createTableText(tableName, options))
  return tableName
}

export function createTableText(tableName: string, options: TableOptions): string {
  const { idType = 'NVARCHAR(512)', createdType = 'DATETIME2(3)', recordType = 'NVARCHAR(MAX)' } = options
  const { names = ['id', 'created', 'key_record'], collation = 'Latin1_General_100_BIN2' } = options
  const [id, created, keyRecord] = names.map((name) => `[${name}]`)
  const { key = `, PRIMARY KEY NONCLUSTERED (${id}, ${created})` } = options
  return `CREATE TABLE dbo.[${tableName}] (${id} ${idType} COLLATE ${collation} NOT NULL, ${created} ${createdType} NOT NULL, ${keyRecord} ${recordType} NOT NULL${key})`
}

/** Runs one statement on a connection of its own; numbers are BIGINT. */
async function execute(
  server: MssqlServer,
  text: string,
  parameters: Readonly<Record<string, string | number>> = {},
): Promise<Record<string, unknown>[]> {
  const { host, port, user, password, database } = server
  const connection = new Connection({
    server: host,
    authentication: { type: 'default', options: { userName: user, password } },
    options: { port, database, encrypt: true, trustServerCertificate: true },
  })
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve()))
  })
  try {
    return await new Promise((resolve, reject) => {
      const rows: Record<string, unknown>[] = []
      const request = new Request(text, (error) => (error ? reject(error) : resolve(rows)))
      for (const [name, value] of Object.entries(parameters)) {
        request.addParameter(name, typeof value === 'number' ? TYPES.BigInt : TYPES.NVarChar, value)
      }
      request.on('row', (columns: { readonly metadata: { readonly colName: string }; readonly value: unknown }[]) => {
        rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])))
      })
      connection.execSql(request)
    })
  } finally {
    connection.close()
  }
}

/** For `overwriteBody` of the conformance kit. */
export async function overwriteBody(
  server: MssqlServer,
  tableName: string,
  key: { readonly keyId: string; readonly created: number },
  text: string,
): Promise<void> {
  const created = "DATEADD(SECOND, @created % 86400, DATEADD(DAY, @created / 86400, '1970-01-01'))"
  await execute(server, `UPDATE dbo.[${tableName}] SET key_record = @text WHERE id = @id AND created = ${created}`, {
    text,
    id: key.keyId,
    created: key.created,
  })
}
