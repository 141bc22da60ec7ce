import { once } from 'node:events'
import { createServer } from 'node:net'
import { createPostgresMetastore } from '@asherah/metastore-postgres'
import { describeService } from '@asherah/testing'
import { startPostgres } from '@asherah/testing/services'
import pg from 'pg'
import { beforeAll, expect, test } from 'vitest'
import { CREATED, keyOf } from './records.ts'
import { createTable, execute } from './server.ts'

describeService('PostgreSQL', await startPostgres(), (server) => {
  beforeAll(async () => {
    await createTable(server.url)
    await execute(server.url, "CREATE ROLE reader LOGIN PASSWORD 'reader-s3cret'")
    await execute(server.url, 'GRANT SELECT ON encryption_key TO reader')
    await execute(server.url, "CREATE ROLE writer LOGIN PASSWORD 'writer-s3cret'")
    await execute(server.url, 'GRANT SELECT, INSERT ON encryption_key TO writer')
  })
  const urlOf = (user: string, password: string, database = server.database): string =>
    `postgres://${user}:${password}@${server.host}:${server.port}/${database}`

  test('D-049 a store that is not permitted is a MetastoreError; a reader still reads (D-061)', async () => {
    const metastore = createPostgresMetastore({ connectionString: urlOf('reader', 'reader-s3cret') })
    await expect(metastore.store('_SK_r', CREATED, keyOf('_SK_r'))).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
      message: expect.stringContaining('42501'),
    })
    expect(await metastore.loadLatest('_SK_r')).toBe(null)
    expect((await metastore.check()).ok).toBe(true)
    await metastore.close()
  })

  test('SELECT and INSERT are enough for keys; markRevoked needs UPDATE', async () => {
    const metastore = createPostgresMetastore({ connectionString: urlOf('writer', 'writer-s3cret') })
    expect(await metastore.store('_SK_w', CREATED, keyOf('_SK_w'))).toBe(true)
    expect(await metastore.store('_SK_w', CREATED, keyOf('_SK_w'))).toBe(false)
    await expect(metastore.markRevoked('_SK_w', CREATED)).rejects.toThrow('42501')
    await execute(server.url, 'GRANT UPDATE (key_record) ON encryption_key TO writer')
    expect(await metastore.markRevoked('_SK_w', CREATED)).toBe(true)
    await metastore.close()
  })

  test('a read-only server is a MetastoreError once retryTimeoutMs is over, and reads go on', async () => {
    const pool = new pg.Pool({ connectionString: server.url, options: '-c default_transaction_read_only=on' })
    const metastore = createPostgresMetastore({ pool, retryTimeoutMs: 50 })
    await expect(metastore.store('_SK_ro', CREATED, keyOf('_SK_ro'))).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
      message: expect.stringContaining('25006'),
    })
    expect(await metastore.loadLatest('_SK_ro')).toBe(null)
    await metastore.close()
    await pool.end()
  })

  test.each([
    ['a wrong password', 'reader', 'wrong-s3cret', 'test', '28P01'],
    ['a database that is not there', 'reader', 'reader-s3cret', 'missing', '3D000'],
  ])('%s is a MetastoreError at once, with no password in any message', async (_, user, password, database, code) => {
    const metastore = createPostgresMetastore({ connectionString: urlOf(user, password, database) })
    const error: unknown = await metastore.loadLatest('_SK_s_p').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_ASHERAH_METASTORE', message: expect.stringContaining(code) })
    expect(JSON.stringify([String(error), String(Object(error).cause), Object(error).cause])).not.toContain('s3cret')
    expect((await metastore.check()).findings.map((f) => [f.level, f.check])).toEqual([['fail', 'connection']])
    await metastore.close()
  })

  test('a table that is not there: D-050 no call takes it for missing rows, and check says it', async () => {
    const metastore = createPostgresMetastore({ connectionString: server.url, tableName: 'missing' })
    await expect(metastore.loadLatest('_SK_s_p')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    const { ok, findings } = await metastore.check()
    expect(ok).toBe(false)
    expect(findings.find((f) => f.level === 'fail')?.check).toBe('table')
    await metastore.close()
  })

  test('a table that is not there: a MetastoreError that says what makes it', async () => {
    const metastore = createPostgresMetastore({ connectionString: server.url, tableName: 'nowhere' })
    await expect(metastore.loadLatest('k')).rejects.toThrow(/42P01.*; schema\.sql in the package of this metastore/)
    await metastore.close()
  })

  test('a server that does not answer: which timeout, and how long', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = Object(silent.address())
    const connectionString = `postgres://u:p@127.0.0.1:${port}/d`
    const metastore = createPostgresMetastore({ connectionString, connectTimeoutMs: 50, retryTimeoutMs: 0 })
    await expect(metastore.loadLatest('k')).rejects.toThrow('no answer in 50 ms (connectTimeoutMs)')
    await metastore.close()
    silent.close()
  })

  test('nothing listens: a MetastoreError that says where', async () => {
    const metastore = createPostgresMetastore({ connectionString: 'postgres://u:p@127.0.0.1:1/d', retryTimeoutMs: 0 })
    await expect(metastore.loadLatest('k')).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
      message: expect.stringMatching(/127\.0\.0\.1:1|ECONNREFUSED/),
    })
    await metastore.close()
  })

  test('a store that waits for the transaction of another one inserts when that is rolled back', async () => {
    const metastore = createPostgresMetastore({ connectionString: server.url })
    const row = keyOf('_SK_waits')
    const other = new pg.Client(server.url)
    await other.connect()
    await other.query('BEGIN')
    const insert = "INSERT INTO encryption_key VALUES ($1, to_timestamp($2) AT TIME ZONE 'UTC', '{}')"
    await other.query(insert, [row.keyId, row.created])
    const store = metastore.store(row.keyId, row.created, row)
    const waiting = "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    await expect.poll(() => execute(server.url, waiting)).toEqual([{ n: 1 }])
    await other.query('ROLLBACK')
    await other.end()
    expect(await store).toBe(true)
    await metastore.close()
  })
})
