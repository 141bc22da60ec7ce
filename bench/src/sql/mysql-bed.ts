import { createMysqlMetastore, type MysqlPool } from '@asherah/metastore-mysql'
import { startMariaDb } from '@asherah/testing/services'
import { createPool } from 'mysql2/promise'
import { type Bed, missing, type Statement, schemaOf } from './bed.ts'
import { startRelay } from './relay.ts'

/** @param isFar A network of 2 ms away, as a database of the same region is at worst. */
export async function mysqlBed(isFar: boolean): Promise<Bed | undefined> {
  const service = await startMariaDb()
  if (!service.available) return missing(service.reason)
  const relay = isFar ? await startRelay(service.details.url) : undefined
  const { url } = relay ?? service.details
  const own = createPool({ uri: url, charset: 'utf8mb4' })
  await own.query(schemaOf('@asherah/metastore-mysql'))
  const metastore = createMysqlMetastore({ connectionString: url })
  return {
    name: isFar ? 'mariadb-2ms' : 'mariadb',
    driver: 'mysql2',
    isNoisy: !isFar,
    metastore,
    async statementOf(call) {
      let last: Statement = { text: '', values: [] }
      const pool: MysqlPool = {
        getConnection: async () => ({
          release() {},
          destroy() {},
          query: (text) => own.query(text),
          execute(text, values) {
            last = { text, values }
            return own.execute(text, values)
          },
        }),
      }
      await call(createMysqlMetastore({ pool }))
      return last
    },
    run: ({ text, values }) => own.execute(text, [...values]),
    async stop() {
      await metastore.close()
      await own.end()
      relay?.stop()
      await service.stop()
    },
  }
}
