import { createMssqlMetastore } from '@asherah/metastore-mssql'
import { describeService, metastoreConformance } from '@asherah/testing'
import { type MssqlServer, startSqlServer } from '@asherah/testing/services'
import mssql from 'mssql'
import { afterAll } from 'vitest'
import { createTable, metastoreOn, overwriteBody } from './server.ts'

const CAPABILITIES = ['list', 'markRevoked', 'check', 'close'] as const
const service = await startSqlServer()
const what = service.available && service.details.standIn !== undefined ? 'the TDS stand-in' : 'SQL Server'

describeService(what, service, (server) => {
  for (const createdType of ['DATETIME2(3)', 'DATETIME'] as const) {
    let table: Promise<string> | undefined
    const create = async () => {
      table ??= createTable(server, { createdType })
      return metastoreOn(server, { tableName: await table })
    }
    metastoreConformance({
      name: `${what}, ${createdType}`,
      create,
      reopen: create,
      dispose: (metastore) => metastore.close(),
      overwriteBody: async (_, key, text) => overwriteBody(server, (await table) ?? '', key, text),
      offers: CAPABILITIES,
      ignoresTrailingSpaces: true,
    })
  }

  let poolTable: Promise<string> | undefined
  const pools: mssql.ConnectionPool[] = []
  const createOnPool = async () => {
    poolTable ??= createTable(server)
    const pool = await poolOf(server)
    pools.push(pool)
    return createMssqlMetastore({ pool, tableName: await poolTable })
  }
  afterAll(async () => {
    for (const pool of pools) await pool.close()
  })
  metastoreConformance({
    name: `${what}, a given pool`,
    create: createOnPool,
    reopen: createOnPool,
    dispose: (metastore) => metastore.close(),
    overwriteBody: async (_, key, text) => overwriteBody(server, (await poolTable) ?? '', key, text),
    offers: CAPABILITIES,
    ignoresTrailingSpaces: true,
  })
})

function poolOf({ host, port, user, password, database }: MssqlServer): Promise<mssql.ConnectionPool> {
  const options = { encrypt: true, trustServerCertificate: true }
  return new mssql.ConnectionPool({ server: host, port, user, password, database, options }).connect()
}
