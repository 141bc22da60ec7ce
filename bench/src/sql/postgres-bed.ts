import { createPostgresMetastore, type PgClient, type PgPool, type PgQuery } from '@asherah/metastore-postgres'
import { startPostgres } from '@asherah/testing/services'
import pg from 'pg'
import { type Bed, missing, schemaOf } from './bed.ts'
import { startRelay } from './relay.ts'

/** @param isFar A network of 2 ms away, as a database of the same region is at worst. */
export async function postgresBed(isFar: boolean): Promise<Bed | undefined> {
  const service = await startPostgres()
  if (!service.available) return missing(service.reason)
  const relay = isFar ? await startRelay(service.details.url) : undefined
  const { url } = relay ?? service.details
  const own = new pg.Pool({ connectionString: url })
  // The server may end first.
  own.on('error', () => {})
  await own.query(schemaOf('@asherah/metastore-postgres'))
  const metastore = createPostgresMetastore({ connectionString: url })
  return {
    name: isFar ? 'postgres-2ms' : 'postgres',
    driver: 'pg',
    isNoisy: !isFar,
    metastore,
    async statementOf(call) {
      let last: PgQuery | undefined
      const pool: PgPool = {
        async connect() {
          const client = await own.connect()
          const query: PgClient['query'] = (statement) => {
            last = statement
            return client.query(statement)
          }
          return { query, release: () => client.release() }
        },
      }
      await call(createPostgresMetastore({ pool }))
      return { name: last?.name, text: last?.text ?? '', values: last?.values ?? [] }
    },
    run: ({ name, text, values }) => own.query({ ...(name !== undefined && { name }), text, values: [...values] }),
    async stop() {
      await metastore.close()
      await own.end()
      relay?.stop()
      await service.stop()
    },
  }
}
