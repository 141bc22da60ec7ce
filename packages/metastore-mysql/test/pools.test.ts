import { createMysqlMetastore, type MysqlClient, type MysqlPool } from '@asherah/metastore-mysql'
import { describeService } from '@asherah/testing'
import { startMariaDb } from '@asherah/testing/services'
import { createPool } from 'mysql2/promise'
import { beforeAll, expect, test } from 'vitest'
import { CREATED, keyOf } from './records.ts'
import { createTable, execute } from './server.ts'

describeService('MariaDB', await startMariaDb(), (server) => {
  beforeAll(() => createTable(server.url))

  test('a pool of the caller is used, and still works after close', async () => {
    const pool = createPool({ uri: server.url, connectionLimit: 2 })
    const metastore = createMysqlMetastore({ pool })
    expect(await metastore.store('_SK_own', CREATED, keyOf('_SK_own'))).toBe(true)
    await Promise.all(Array.from({ length: 10 }, () => metastore.load('_SK_own', CREATED)))
    await metastore.close()
    const [rows] = await pool.query('SELECT 1 AS one')
    expect(rows).toEqual([{ one: 1 }])
    await pool.end()
  })

  test('a pool of the caller that gives no connection: a MetastoreError after acquireTimeoutMs, and a late one goes back', async () => {
    const pool = createPool({ uri: server.url, connectionLimit: 1 })
    const held = await pool.getConnection()
    const metastore = createMysqlMetastore({ pool, acquireTimeoutMs: 50 })
    await expect(metastore.load('k', CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    held.release()
    expect(await metastore.load('k', CREATED)).toBe(null)
    await metastore.close()
    await pool.end()
  })

  test("connections of a caller's pool that the server has killed are replaced", async () => {
    const pool = createPool({ uri: server.url, connectionLimit: 1 })
    const metastore = createMysqlMetastore({ pool })
    await metastore.store('_SK_killed', CREATED, keyOf('_SK_killed'))
    const [rows] = await pool.query('SELECT connection_id() AS id')
    const id = Array.isArray(rows) ? Object(rows[0]).id : undefined
    await execute(server.url, `KILL ${Number(id)}`)
    expect(await metastore.load('_SK_killed', CREATED)).toEqual(keyOf('_SK_killed'))
    await metastore.close()
    await pool.end()
  })

  test('close ends every connection that the metastore opened', async () => {
    const count = 'SELECT count(*) AS n FROM information_schema.processlist WHERE id <> connection_id()'
    await expect.poll(() => execute(server.url, count)).toEqual([{ n: 0 }])
    const metastore = createMysqlMetastore({ connectionString: server.url, maxConnections: 4 })
    await Promise.all(Array.from({ length: 20 }, () => metastore.load('k', CREATED)))
    // The last ones may still be on their way when the calls are through.
    await expect.poll(() => execute(server.url, count)).toEqual([{ n: 4 }])
    await metastore.close()
    await expect.poll(() => execute(server.url, count)).toEqual([{ n: 0 }])
  })

  test.each(['eventual', 'session', 'global'] as const)(
    'D-054 the replica consistency %s is set on every connection',
    async (mode) => {
      const statements: string[] = []
      const pool: MysqlPool = {
        async getConnection() {
          const own: string[] = []
          const client: MysqlClient = {
            async query(sql) {
              own.push(sql)
              return [[], []]
            },
            async execute() {
              statements.push(own.join())
              return [[], []]
            },
          }
          return { ...client, release() {}, destroy() {} }
        },
      }
      const metastore = createMysqlMetastore({ pool, replicaReadConsistency: mode })
      await Promise.all(Array.from({ length: 3 }, () => metastore.loadLatest('k')))
      expect(statements).toHaveLength(3)
      for (const text of statements) expect(text).toContain(`aurora_replica_read_consistency = '${mode.toUpperCase()}'`)
      await metastore.close()
    },
  )

  test('a password that is a function is asked for each connection', async () => {
    let asked = 0
    const { host, port, user, database } = server
    const password = async (): Promise<string> => {
      asked += 1
      return server.password
    }
    const metastore = createMysqlMetastore({ config: { host, port, user, database, password }, maxConnections: 2 })
    await Promise.all(Array.from({ length: 4 }, () => metastore.load('k', CREATED)))
    expect(asked).toBe(2)
    await metastore.close()
  })

  test('a password function that fails is asked once, and its error is the cause', async () => {
    const { host, port, user, database } = server
    const reason = new Error('no token')
    let asked = 0
    const password = async (): Promise<string> => {
      asked += 1
      throw reason
    }
    const metastore = createMysqlMetastore({ config: { host, port, user, database, password } })
    await expect(metastore.load('k', CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE', cause: reason })
    expect(asked).toBe(1)
    await metastore.close()
  })
})
