import { createPostgresMetastore, type PostgresMetastoreOptions } from '@asherah/metastore-postgres'
import { describeService } from '@asherah/testing'
import { createTestCertificate, startPostgres } from '@asherah/testing/services'
import { beforeAll, expect, test } from 'vitest'
import { CREATED, keyOf } from './records.ts'
import { createTable, execute } from './server.ts'

const certificate = createTestCertificate(['localhost', 'keys.example'])

describeService('PostgreSQL with TLS', await startPostgres({ tls: certificate }), (server) => {
  beforeAll(() => createTable(server.url))
  const { host, port, user, password, database } = server
  const config = { host, port, user, password, database }

  async function isEncrypted(options: Partial<PostgresMetastoreOptions>): Promise<unknown> {
    const metastore = createPostgresMetastore({ config, retryTimeoutMs: 0, ...options })
    try {
      await metastore.loadLatest('_SK_s_p')
      const sessions = await execute(
        server.url,
        "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'asherah'",
      )
      return sessions.map((row) => row.ssl)
    } finally {
      await metastore.close()
    }
  }

  test('D-066 with our own CA the connection is encrypted, and works', async () => {
    expect(await isEncrypted({ tls: { ca: certificate.cert } })).toEqual([true])
    const metastore = createPostgresMetastore({ config, tls: { ca: certificate.cert } })
    expect(await metastore.store('_SK_tls', CREATED, keyOf('_SK_tls'))).toBe(true)
    expect(await metastore.load('_SK_tls', CREATED)).toEqual(keyOf('_SK_tls'))
    await metastore.close()
  })

  test('D-066 a certificate of an unknown CA, and one of another name, are refused', async () => {
    await expect(isEncrypted({ tls: true })).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    await expect(isEncrypted({ tls: { ca: certificate.cert, serverName: 'other.example' } })).rejects.toThrow(
      /altnames|other.example/,
    )
    expect(await isEncrypted({ tls: { ca: certificate.cert, serverName: 'keys.example' } })).toEqual([true])
    await expect(isEncrypted({ tls: { ca: createTestCertificate().cert } })).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
    })
  })

  test('D-066 without verification only by the option that says so; without TLS only on a local host', async () => {
    expect(await isEncrypted({ tls: { allowUnverifiedCertificate: true } })).toEqual([true])
    expect(await isEncrypted({})).toEqual([false])
  })
})

describeService('PostgreSQL without TLS', await startPostgres(), (server) => {
  test('D-066 a server without TLS is an error, never a connection in the clear', async () => {
    const { host, port, user, password, database } = server
    const config = { host, port, user, password, database }
    const metastore = createPostgresMetastore({ config, tls: true, retryTimeoutMs: 0 })
    await expect(metastore.loadLatest('_SK_s_p')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    await metastore.close()
  })
})
