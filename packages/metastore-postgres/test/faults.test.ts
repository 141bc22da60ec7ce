import { createPostgresMetastore } from '@asherah/metastore-postgres'
import { describeService, sqlFaults } from '@asherah/testing'
import { startPostgres } from '@asherah/testing/services'
import { beforeAll } from 'vitest'
import { createTable } from './server.ts'

describeService('PostgreSQL', await startPostgres(), (server) => {
  beforeAll(() => createTable(server.url))
  sqlFaults({
    name: 'PostgreSQL',
    server,
    create: ({ host, port }, limits) => {
      const { database, user, password } = server
      return createPostgresMetastore({ config: { host, port, database, user, password }, ...limits })
    },
    racer: new URL('./children/racer.ts', import.meta.url),
  })
})
