import { createMysqlMetastore, type MysqlMetastore } from '@asherah/metastore-mysql'
import { describeService, type MetastoreConformanceOptions, metastoreConformance } from '@asherah/testing'
import { startMariaDb } from '@asherah/testing/services'
import { createTable, execute } from './server.ts'

describeService('MariaDB', await startMariaDb(), (server) => {
  for (const type of ['TEXT', 'JSON'] as const) {
    const tableName = `keys_${type.toLowerCase()}`
    const create = async () => {
      await createTable(server.url, { tableName, keyRecord: type })
      return createMysqlMetastore({ connectionString: server.url, tableName })
    }
    const options: MetastoreConformanceOptions<MysqlMetastore> = {
      name: `MariaDB, key_record ${type} (D-047)`,
      create,
      reopen: create,
      dispose: (metastore) => metastore.close(),
      offers: ['list', 'markRevoked', 'check', 'close'],
      maxCreated: 2 ** 31 - 1,
    }
    const overwriteBody: MetastoreConformanceOptions['overwriteBody'] = async (_, { keyId, created }, text) => {
      const statement = `UPDATE ${tableName} SET key_record = ? WHERE id = ? AND created = FROM_UNIXTIME(?)`
      await execute(server.url, statement, [text, keyId, created])
    }
    // The server itself refuses a body that is no JSON in the other type.
    metastoreConformance(type === 'TEXT' ? { ...options, overwriteBody } : options)
  }
})
