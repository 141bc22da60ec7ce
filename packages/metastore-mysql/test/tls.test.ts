import { createMysqlMetastore, type MysqlMetastoreOptions } from '@asherah/metastore-mysql'
import { describeService } from '@asherah/testing'
import { createTestCertificate, startMariaDb } from '@asherah/testing/services'
import { beforeAll, expect, test } from 'vitest'
import { CREATED, keyOf } from './records.ts'
import { createTable, execute } from './server.ts'

const certificate = createTestCertificate(['localhost', 'keys.example'])

describeService('MariaDB with TLS', await startMariaDb({ tls: certificate }), (server) => {
  beforeAll(async () => {
    await createTable(server.url)
    await execute(server.url, `CREATE USER 'secure'@'%' IDENTIFIED BY '${server.password}' REQUIRE SSL`)
    await execute(server.url, `CREATE USER 'plain'@'%' IDENTIFIED BY '${server.password}'`)
    for (const user of ['secure', 'plain']) await execute(server.url, `GRANT SELECT ON test.* TO '${user}'@'%'`)
  })
  const { host, port, user, password, database } = server
  const config = { host, port, user, password, database }

  /** A user that the server lets in only over TLS, or only without it. */
  async function works(user: 'secure' | 'plain', options: Partial<MysqlMetastoreOptions>): Promise<boolean> {
    const metastore = createMysqlMetastore({ config: { ...config, user }, retryTimeoutMs: 0, ...options })
    try {
      return (await metastore.loadLatest('_SK_s_p')) === null
    } finally {
      await metastore.close()
    }
  }

  test('D-066 with our own CA the connection is encrypted, and works', async () => {
    const tls = { ca: certificate.cert, serverName: 'localhost' }
    expect(await works('secure', { tls })).toBe(true)
    const metastore = createMysqlMetastore({ config, tls })
    expect(await metastore.store('_SK_tls', CREATED, keyOf('_SK_tls'))).toBe(true)
    expect(await metastore.load('_SK_tls', CREATED)).toEqual(keyOf('_SK_tls'))
    await metastore.close()
  })

  test('D-066 a certificate of an unknown CA, and one of another name, are refused', async () => {
    const refused = { code: 'ERR_ASHERAH_METASTORE' }
    await expect(works('secure', { tls: { serverName: 'localhost' } })).rejects.toMatchObject(refused)
    const { cert } = certificate
    await expect(works('secure', { tls: { ca: cert, serverName: 'other.example' } })).rejects.toThrow(/other.example/)
    expect(await works('secure', { tls: { ca: cert, serverName: 'keys.example' } })).toBe(true)
    const another = { ca: createTestCertificate().cert, serverName: 'localhost' }
    await expect(works('secure', { tls: another })).rejects.toMatchObject(refused)
  })

  test('D-066 an address needs the name that its certificate has', () => {
    expect(() => createMysqlMetastore({ config, tls: { ca: certificate.cert } })).toThrow('tls.serverName')
  })

  test('D-066 without verification only by the option that says so; without TLS only on a local host', async () => {
    expect(await works('secure', { tls: { allowUnverifiedCertificate: true } })).toBe(true)
    await expect(works('secure', {})).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    expect(await works('plain', {})).toBe(true)
  })
})

describeService('MariaDB without TLS', await startMariaDb(), (server) => {
  test('D-066 a server without TLS is an error, never a connection in the clear', async () => {
    const { host, port, user, password, database } = server
    const config = { host, port, user, password, database }
    const tls = { serverName: 'localhost' }
    const metastore = createMysqlMetastore({ config, tls, retryTimeoutMs: 0 })
    await expect(metastore.loadLatest('_SK_s_p')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    await metastore.close()
  })
})
