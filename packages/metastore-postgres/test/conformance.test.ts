import { createPostgresMetastore, type PostgresMetastore } from '@asherah/metastore-postgres'
import { describeService, type MetastoreConformanceOptions, metastoreConformance } from '@asherah/testing'
import { startPostgres } from '@asherah/testing/services'
import { createTable, execute } from './server.ts'

describeService('PostgreSQL', await startPostgres(), (server) => {
  for (const type of ['TEXT', 'JSON', 'JSONB'] as const) {
    const tableName = `keys_${type.toLowerCase()}`
    const create = async () => {
      await createTable(server.url, { tableName, keyRecord: type })
      return createPostgresMetastore({ connectionString: server.url, tableName })
    }
    const options: MetastoreConformanceOptions<PostgresMetastore> = {
      name: `PostgreSQL, key_record ${type} (D-047)`,
      create,
      reopen: create,
      dispose: (metastore) => metastore.close(),
      offers: ['list', 'markRevoked', 'check', 'close'],
    }
    const overwriteBody: MetastoreConformanceOptions['overwriteBody'] = async (_, { keyId, created }, text) => {
      const statement = `UPDATE ${tableName} SET key_record = $1 WHERE id = $2 AND created = to_timestamp($3)`
      await execute(server.url, statement, [text, keyId, created])
    }
    // The server itself refuses a body that is no JSON in the other types.
    metastoreConformance(type === 'TEXT' ? { ...options, overwriteBody } : options)
  }
})
