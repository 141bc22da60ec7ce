import { createMysqlMetastore } from '@asherah/metastore-mysql'
import { describeService, sqlFaults } from '@asherah/testing'
import { startMariaDb } from '@asherah/testing/services'
import { beforeAll } from 'vitest'
import { createTable } from './server.ts'

describeService('MariaDB', await startMariaDb(), (server) => {
  beforeAll(() => createTable(server.url))
  sqlFaults({
    name: 'MariaDB',
    server,
    create: ({ host, port }, limits) => {
      const { database, user, password } = server
      return createMysqlMetastore({ config: { host, port, database, user, password }, ...limits })
    },
    racer: new URL('./children/racer.ts', import.meta.url),
  })
})
