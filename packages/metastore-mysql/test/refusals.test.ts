import { createMysqlMetastore } from '@asherah/metastore-mysql'
import { describeService } from '@asherah/testing'
import { startMariaDb } from '@asherah/testing/services'
import { beforeAll, expect, test } from 'vitest'
import { CREATED, keyOf } from './records.ts'
import { createTable, execute } from './server.ts'

describeService('MariaDB', await startMariaDb(), (server) => {
  beforeAll(async () => {
    await createTable(server.url)
    await execute(server.url, "CREATE USER 'reader'@'%' IDENTIFIED BY 'reader-s3cret'")
    await execute(server.url, "GRANT SELECT ON test.encryption_key TO 'reader'@'%'")
    await execute(server.url, "CREATE USER 'writer'@'%' IDENTIFIED BY 'writer-s3cret'")
    await execute(server.url, "GRANT SELECT, INSERT ON test.encryption_key TO 'writer'@'%'")
  })
  const urlOf = (user: string, password: string, database = server.database): string =>
    `mysql://${user}:${password}@${server.host}:${server.port}/${database}`

  test('D-049 a store that is not permitted is a MetastoreError; a reader still reads (D-061)', async () => {
    const metastore = createMysqlMetastore({ connectionString: urlOf('reader', 'reader-s3cret') })
    await expect(metastore.store('_SK_r', CREATED, keyOf('_SK_r'))).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
      message: expect.stringContaining('ER_TABLEACCESS_DENIED_ERROR'),
    })
    expect(await metastore.loadLatest('_SK_r')).toBe(null)
    expect((await metastore.check()).ok).toBe(true)
    await metastore.close()
  })

  test('SELECT and INSERT are enough for keys; markRevoked needs UPDATE', async () => {
    const metastore = createMysqlMetastore({ connectionString: urlOf('writer', 'writer-s3cret') })
    expect(await metastore.store('_SK_w', CREATED, keyOf('_SK_w'))).toBe(true)
    expect(await metastore.store('_SK_w', CREATED, keyOf('_SK_w'))).toBe(false)
    await expect(metastore.markRevoked('_SK_w', CREATED)).rejects.toThrow('DENIED')
    await execute(server.url, "GRANT UPDATE (created, key_record) ON test.encryption_key TO 'writer'@'%'")
    expect(await metastore.markRevoked('_SK_w', CREATED)).toBe(true)
    await metastore.close()
  })

  test('a read-only server is a MetastoreError once retryTimeoutMs is over, and reads go on', async () => {
    const metastore = createMysqlMetastore({ connectionString: urlOf('writer', 'writer-s3cret'), retryTimeoutMs: 50 })
    await execute(server.url, 'SET GLOBAL read_only = 1')
    try {
      await expect(metastore.store('_SK_ro', CREATED, keyOf('_SK_ro'))).rejects.toMatchObject({
        code: 'ERR_ASHERAH_METASTORE',
        message: expect.stringContaining('ER_OPTION_PREVENTS_STATEMENT'),
      })
      expect(await metastore.loadLatest('_SK_ro')).toBe(null)
      expect((await metastore.check()).findings.find((f) => f.check === 'replica')?.level).toBe('warn')
    } finally {
      await execute(server.url, 'SET GLOBAL read_only = 0')
    }
    expect(await metastore.store('_SK_ro', CREATED, keyOf('_SK_ro'))).toBe(true)
    await metastore.close()
  })

  test.each([
    ['a wrong password', 'reader', 'wrong-s3cret', 'test', 'ER_ACCESS_DENIED_ERROR'],
    ['a database that is not there', 'reader', 'reader-s3cret', 'missing', 'ER_'],
  ])('%s is a MetastoreError at once, with no password in any message', async (_, user, password, database, code) => {
    const metastore = createMysqlMetastore({ connectionString: urlOf(user, password, database) })
    const error: unknown = await metastore.loadLatest('_SK_s_p').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ERR_ASHERAH_METASTORE', message: expect.stringContaining(code) })
    expect(JSON.stringify([String(error), String(Object(error).cause), Object(error).cause])).not.toContain('s3cret')
    expect((await metastore.check()).findings.map((f) => [f.level, f.check])).toEqual([['fail', 'connection']])
    await metastore.close()
  })

  test('a table that is not there: D-050 no call takes it for missing rows, and check says it', async () => {
    const metastore = createMysqlMetastore({ connectionString: server.url, tableName: 'missing' })
    await expect(metastore.loadLatest('_SK_s_p')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    const { ok, findings } = await metastore.check()
    expect(ok).toBe(false)
    expect(findings.find((f) => f.level === 'fail')?.check).toBe('table')
    await metastore.close()
  })

  test('a table that is not there: a MetastoreError that says what makes it', async () => {
    const metastore = createMysqlMetastore({ connectionString: server.url, tableName: 'nowhere' })
    await expect(metastore.loadLatest('k')).rejects.toThrow(/nowhere.*; schema\.sql in the package of this metastore/)
    await metastore.close()
  })

  test('D-054 a server that is not Aurora refuses a replica consistency: each connection sets it', async () => {
    const metastore = createMysqlMetastore({ connectionString: server.url, replicaReadConsistency: 'session' })
    for (let i = 0; i < 3; i++) {
      await expect(metastore.loadLatest('k')).rejects.toThrow('aurora_replica_read_consistency')
    }
    await metastore.close()
  })
})
