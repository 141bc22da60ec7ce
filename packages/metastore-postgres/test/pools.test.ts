import { createPostgresMetastore, type PgClient, type PgPool } from '@asherah/metastore-postgres'
import { describeService } from '@asherah/testing'
import { startPostgres } from '@asherah/testing/services'
import pg from 'pg'
import { beforeAll, expect, test } from 'vitest'
import { CREATED, keyOf } from './records.ts'
import { createTable, execute } from './server.ts'

describeService('PostgreSQL', await startPostgres(), (server) => {
  beforeAll(() => createTable(server.url))

  test('a pool of the caller is used, and still works after close', async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 2 })
    const metastore = createPostgresMetastore({ pool })
    expect(await metastore.store('_SK_own', CREATED, keyOf('_SK_own'))).toBe(true)
    await Promise.all(Array.from({ length: 10 }, () => metastore.load('_SK_own', CREATED)))
    expect(pool.totalCount).toBe(2)
    await metastore.close()
    expect(pool.idleCount).toBe(2)
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
    await pool.end()
  })

  test("the caller's own type parsers change nothing", async () => {
    const types = { getTypeParser: () => () => 'changed' }
    const pool = new pg.Pool({ connectionString: server.url, types })
    const metastore = createPostgresMetastore({ pool })
    expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 'changed' }])
    await metastore.store('_SK_types', CREATED, keyOf('_SK_types'))
    expect(await metastore.load('_SK_types', CREATED)).toEqual(keyOf('_SK_types'))
    await metastore.close()
    await pool.end()
  })

  test('a pool of the caller that gives no connection: a MetastoreError after acquireTimeoutMs, and a late one goes back', async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 1 })
    const held = await pool.connect()
    const metastore = createPostgresMetastore({ pool, acquireTimeoutMs: 50 })
    await expect(metastore.load('k', CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    held.release()
    expect(await metastore.load('k', CREATED)).toBe(null)
    await metastore.close()
    await expect.poll(() => [pool.totalCount, pool.idleCount]).toEqual([1, 1])
    await pool.end()
  })

  test('connections that the server ends while they are idle, or in use, are replaced', async () => {
    const metastore = createPostgresMetastore({ connectionString: server.url, maxConnections: 2 })
    await metastore.store('_SK_killed', CREATED, keyOf('_SK_killed'))
    const end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'asherah'"
    for (let i = 0; i < 5; i++) {
      const loads = [metastore.load('_SK_killed', CREATED), metastore.load('_SK_killed', CREATED)]
      await execute(server.url, end)
      for (const load of loads) expect(await load).toEqual(keyOf('_SK_killed'))
    }
    await metastore.close()
  })

  test('close ends every connection that the metastore opened', async () => {
    const count = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'asherah'"
    const metastore = createPostgresMetastore({ connectionString: server.url, maxConnections: 4 })
    await Promise.all(Array.from({ length: 20 }, () => metastore.load('k', CREATED)))
    // The last ones may still be on their way when the calls are through.
    await expect.poll(() => execute(server.url, count)).toEqual([{ n: 4 }])
    await metastore.close()
    await expect.poll(() => execute(server.url, count)).toEqual([{ n: 0 }])
  })

  test('D-054 the replica consistency is set on every connection', async () => {
    const show = 'SELECT current_setting($1, true) AS mode, pg_backend_pid() AS pid'
    const seen = new Map<unknown, unknown>()
    const spied = new pg.Pool({ connectionString: server.url, max: 3 })
    const pool: PgPool = {
      async connect() {
        const client = await spied.connect()
        const query: PgClient['query'] = async (statement) => {
          const result = await client.query(statement)
          const [row] = (await client.query<Record<string, unknown>>(show, ['apg_write_forward.consistency_mode'])).rows
          seen.set(row?.pid, row?.mode)
          return result
        }
        return { query, release: (destroy) => client.release(destroy) }
      },
    }
    const metastore = createPostgresMetastore({ pool, replicaReadConsistency: 'session' })
    await Promise.all(Array.from({ length: 12 }, () => metastore.loadLatest('k')))
    expect([...seen.values()]).toEqual(['SESSION', 'SESSION', 'SESSION'])
    const { findings } = await metastore.check()
    expect(findings.find((f) => f.check === 'replica')).toMatchObject({ level: 'warn' })
    await metastore.close()
    await spied.end()
  })

  test('a password that is a function is asked for each connection', async () => {
    let asked = 0
    const { host, port, user, database } = server
    const password = async (): Promise<string> => {
      asked += 1
      return server.password
    }
    const metastore = createPostgresMetastore({ config: { host, port, user, database, password }, maxConnections: 2 })
    await Promise.all(Array.from({ length: 4 }, () => metastore.load('k', CREATED)))
    expect(asked).toBe(2)
    await metastore.close()
  })

  test('schema and table are quoted, whatever they are called (D-068)', async () => {
    const schemaName = 'my "own" schema; --'
    const tableName = `keys'); DROP TABLE encryption_key; --`
    const quoted = `"my ""own"" schema; --"."${tableName}"`
    await execute(server.url, 'CREATE SCHEMA "my ""own"" schema; --"')
    await execute(
      server.url,
      `CREATE TABLE ${quoted} (id TEXT, created TIMESTAMP, key_record JSONB, UNIQUE (id, created))`,
    )
    const metastore = createPostgresMetastore({ connectionString: server.url, schemaName, tableName })
    expect(await metastore.store('_SK_q', CREATED, keyOf('_SK_q'))).toBe(true)
    expect(await metastore.loadLatest('_SK_q')).toEqual(keyOf('_SK_q'))
    expect((await metastore.check()).ok).toBe(true)
    await metastore.close()
    expect(await execute(server.url, "SELECT 1 AS one FROM encryption_key WHERE id = '_SK_q'")).toEqual([])
  })

  test('a password function that fails is asked once, and its error is the cause', async () => {
    const { host, port, user, database } = server
    const reason = new Error('no token')
    let asked = 0
    const password = async (): Promise<string> => {
      asked += 1
      throw reason
    }
    const metastore = createPostgresMetastore({ config: { host, port, user, database, password } })
    await expect(metastore.load('k', CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE', cause: reason })
    expect(asked).toBe(1)
    await metastore.close()
  })
})
