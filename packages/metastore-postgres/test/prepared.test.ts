import { createPostgresMetastore, type PgPool } from '@asherah/metastore-postgres'
import { describeService } from '@asherah/testing'
import { startPostgres } from '@asherah/testing/services'
import pg from 'pg'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { CREATED, keyOf } from './records.ts'
import { createTable, execute } from './server.ts'

const PREPARED = "SELECT count(*)::int AS n FROM pg_prepared_statements WHERE name LIKE 'asherah_%'"

describeService('PostgreSQL', await startPostgres(), (server) => {
  let pool: pg.Pool
  const count = async (): Promise<unknown> => (await pool.query(PREPARED)).rows[0]?.n

  beforeAll(() => createTable(server.url))
  beforeEach(() => {
    // One connection, which the tests look into.
    pool = new pg.Pool({ connectionString: server.url, max: 1 })
  })
  afterEach(() => pool.end())

  test('what runs often is prepared once for a connection', async () => {
    const metastore = createPostgresMetastore({ pool })
    for (const id of ['_SK_p1', '_SK_p2', '_SK_p3']) {
      expect(await metastore.store(id, CREATED, keyOf(id))).toBe(true)
      expect(await metastore.store(id, CREATED, keyOf(id))).toBe(false)
      expect(await metastore.load(id, CREATED)).toEqual(keyOf(id))
      expect(await metastore.loadLatest(id)).toEqual(keyOf(id))
      expect(await metastore.loadLatest(id, { notAfter: CREATED - 1 })).toBe(null)
    }
    expect(await count()).toBe(4)
    await metastore.close()
  })

  test('preparedStatements: false prepares none', async () => {
    const metastore = createPostgresMetastore({ pool, preparedStatements: false })
    await metastore.store('_SK_unnamed', CREATED, keyOf('_SK_unnamed'))
    expect(await metastore.load('_SK_unnamed', CREATED)).toEqual(keyOf('_SK_unnamed'))
    expect(await count()).toBe(0)
    await metastore.close()
  })

  // What a pooler in transaction mode does: the next statement goes to another server process.
  test('a name that the server has lost: the call works, and the statements run without names from then on', async () => {
    const metastore = createPostgresMetastore({ pool, retryTimeoutMs: 0 })
    expect(await metastore.store('_SK_lost', CREATED, keyOf('_SK_lost'))).toBe(true)
    await metastore.load('_SK_lost', CREATED)
    await pool.query('DEALLOCATE ALL')
    expect(await metastore.load('_SK_lost', CREATED)).toEqual(keyOf('_SK_lost'))
    await pool.query('DEALLOCATE ALL')
    expect(await metastore.store('_SK_lost2', CREATED, keyOf('_SK_lost2'))).toBe(true)
    expect(await count()).toBe(0)
    await metastore.close()
  })

  test('a store whose name is lost stores once, and says so', async () => {
    const metastore = createPostgresMetastore({ pool, retryTimeoutMs: 0 })
    await metastore.store('_SK_once1', CREATED, keyOf('_SK_once1'))
    await pool.query('DEALLOCATE ALL')
    expect(await metastore.store('_SK_once2', CREATED, keyOf('_SK_once2'))).toBe(true)
    expect(await metastore.store('_SK_once2', CREATED, keyOf('_SK_once2'))).toBe(false)
    await metastore.close()
  })

  test('a name that is there already, of a pooler that shares server processes: the call works', async () => {
    const seen: string[] = []
    const spied: PgPool = {
      async connect() {
        const client = await pool.connect()
        return {
          query(statement) {
            if (statement.name !== undefined) seen.push(statement.name)
            return client.query(statement)
          },
          release: (destroy) => client.release(destroy),
        }
      },
    }
    const first = createPostgresMetastore({ pool: spied })
    await first.load('_SK_any', CREATED)
    await pool.query(`DEALLOCATE ALL`)
    await pool.end()
    pool = new pg.Pool({ connectionString: server.url, max: 1 })
    await pool.query(`PREPARE ${seen[0]} AS SELECT 1`)
    const second = createPostgresMetastore({ pool, retryTimeoutMs: 0 })
    expect(await second.store('_SK_there', CREATED, keyOf('_SK_there'))).toBe(true)
    expect(await second.load('_SK_there', CREATED)).toEqual(keyOf('_SK_there'))
    await first.close()
    await second.close()
  })

  test('the table changes under a prepared statement: the call works', async () => {
    await execute(server.url, 'CREATE TABLE changing (id VARCHAR(255), created TIMESTAMP, key_record TEXT)')
    const metastore = createPostgresMetastore({ pool, tableName: 'changing', retryTimeoutMs: 0 })
    expect(await metastore.store('_SK_c', CREATED, keyOf('_SK_c'))).toBe(true)
    expect(await metastore.load('_SK_c', CREATED)).toEqual(keyOf('_SK_c'))
    await execute(
      server.url,
      'ALTER TABLE changing ALTER COLUMN id TYPE TEXT, ALTER COLUMN key_record TYPE JSONB USING key_record::jsonb',
    )
    expect(await metastore.load('_SK_c', CREATED)).toEqual(keyOf('_SK_c'))
    await metastore.close()
  })

  test.each(['no', 1, null])('preparedStatements: %j is an InvalidConfigError', (value) => {
    // @ts-expect-error what a program without types may give
    expect(() => createPostgresMetastore({ pool, preparedStatements: value })).toThrow(/preparedStatements/)
  })
})
