import crypto from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createPostgresMetastore, type PgPool } from '@asherah/metastore-postgres'
import { describeService } from '@asherah/testing'
import { startPostgres, startTcpFaultProxy } from '@asherah/testing/services'
import pg from 'pg'
import { afterEach, beforeAll, expect, test, vi } from 'vitest'
import { asLost } from '../src/lost-connections.ts'
import { CREATED, keyOf } from './records.ts'
import { createTable } from './server.ts'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object(server.address()).port
}

describeService('PostgreSQL', await startPostgres(), (server) => {
  beforeAll(() => createTable(server.url))
  const { database, user, password } = server

  test('a connection of a given pool that is reset in use is replaced, and ends no process', async () => {
    const proxy = await startTcpFaultProxy(server)
    const pool = new pg.Pool({ host: proxy.host, port: proxy.port, database, user, password, max: 1 })
    const metastore = createPostgresMetastore({ pool })
    const row = keyOf('_SK_reset')
    await metastore.store(row.keyId, row.created, row)
    const uncaught = vi.fn()
    process.prependListener('uncaughtException', uncaught)
    proxy.setFault({ kind: 'hang' })
    const load = metastore.load(row.keyId, CREATED)
    await expect.poll(() => pool.idleCount).toBe(0)
    proxy.setFault(undefined)
    proxy.resetConnections()
    expect(await load).toEqual(row)
    expect(uncaught).not.toHaveBeenCalled()
    process.off('uncaughtException', uncaught)
    const client = await pool.connect()
    expect(client.listenerCount('error')).toBe(0)
    client.release()
    await metastore.close()
    await pool.end()
    await proxy.close()
  })

  test('a connection that the server ends while it is being opened is opened again', async () => {
    const clients: Socket[] = []
    const flaky = createServer((client) => {
      client.on('error', () => {})
      if (clients.push(client) < 3) client.end()
      else client.pipe(connect(server)).pipe(client)
    })
    const config = { host: '127.0.0.1', port: await portOf(flaky), database, user, password }
    const own = createPostgresMetastore({ config })
    expect(await own.load('k', CREATED)).toBe(null)
    expect(clients).toHaveLength(3)
    await own.close()
    clients.length = 0
    const pool = new pg.Pool(config)
    expect(await createPostgresMetastore({ pool }).load('k', CREATED)).toBe(null)
    expect(clients).toHaveLength(3)
    await pool.end()
    flaky.close()
  })

  test.each([
    ['no password', {}, {}, /asks for a password: give it in the connection string, as config\.password/],
    ['TLS that the server does not have', { password }, { tls: true }, /set tls: false \(.*sslmode=disable\)/],
  ])('%s is an error at once, which says what to do', async (_, login, tls, message) => {
    vi.stubEnv('PGPASSWORD', undefined)
    vi.stubEnv('PGPASSFILE', '/nowhere')
    const proxy = await startTcpFaultProxy(server)
    const config = { host: proxy.host, port: proxy.port, database, user, ...login }
    const metastore = createPostgresMetastore({ config, ...tls })
    await expect(metastore.load('k', CREATED)).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
      message: expect.stringMatching(message),
    })
    expect(proxy.connections).toBe(1)
    const { findings } = await metastore.check()
    expect(findings).toMatchObject([{ level: 'fail', check: 'connection', message: expect.stringMatching(message) }])
    await metastore.close()
    await proxy.close()
  })

  test('a fault of the configuration of a given pool is an error at once', async () => {
    const proxy = await startTcpFaultProxy(server)
    const pool = new pg.Pool({ host: proxy.host, port: proxy.port, database, user, password, ssl: true })
    const metastore = createPostgresMetastore({ pool })
    await expect(metastore.load('k', CREATED)).rejects.toThrow('The server does not support SSL connections')
    expect(proxy.connections).toBe(1)
    await pool.end()
    const asked = vi.spyOn(pool, 'connect')
    await expect(metastore.load('k', CREATED)).rejects.toThrow('Cannot use a pool after calling end on the pool')
    expect(asked).toHaveBeenCalledTimes(1)
    await metastore.close()
    await proxy.close()
  })

  test('a function password that gives nothing is an error, and PGPASSWORD is not taken for it', async () => {
    vi.stubEnv('PGPASSWORD', password)
    const { host, port } = server
    const config = { host, port, database, user, password: () => '' }
    const metastore = createPostgresMetastore({ config })
    await expect(metastore.load('k', CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG' })
    await metastore.close()
  })
})

test.each([false, true])('a server that is no PostgreSQL is an error at once (TLS: %s)', async (tls) => {
  let connections = 0
  const mysql = createServer((client) => {
    connections += 1
    client.on('error', () => {})
    client.end('\x4a\0\0\0\x0a8.0.36\0rest of a greeting')
  })
  const config = { host: '127.0.0.1', port: await portOf(mysql), database: 'd', user: 'u', password: 'p' }
  // With TLS it may be an overloaded PostgreSQL too.
  const metastore = createPostgresMetastore({ config, tls, ...(tls && { retryTimeoutMs: 0 }) })
  await expect(metastore.load('k', CREATED)).rejects.toThrow(/does not speak as PostgreSQL does: check host and port/)
  expect(connections).toBe(1)
  await metastore.close()
  mysql.close()
})

test('a server that answers the request for TLS with an error, as an overloaded one does, is asked again', async () => {
  let connections = 0
  const overloaded = createServer((client) => {
    connections += 1
    client.on('error', () => {})
    client.end('E')
  })
  const config = { host: '127.0.0.1', port: await portOf(overloaded), database: 'd', user: 'u', password: 'p' }
  const metastore = createPostgresMetastore({ config, tls: true, retryTimeoutMs: 300 })
  await expect(metastore.load('k', CREATED)).rejects.toThrow(/the server is overloaded, or/)
  expect(connections).toBeGreaterThan(1)
  await metastore.close()
  overloaded.close()
})

test('a login that fails in this process, as MD5 does under FIPS, is an error at once', async () => {
  const unsupported = Object.assign(new Error('unsupported'), { code: 'ERR_OSSL_EVP_UNSUPPORTED' })
  vi.spyOn(crypto, 'createHash').mockImplementation(() => {
    throw unsupported
  })
  vi.spyOn(crypto.webcrypto.subtle, 'digest').mockRejectedValue(unsupported)
  const asksForMd5 = createServer((client) => {
    client.on('error', () => {})
    client.once('data', () => client.write('R\0\0\0\x0c\0\0\0\x05salt'))
  })
  const config = { host: '127.0.0.1', port: await portOf(asksForMd5), database: 'd', user: 'u', password: 'p' }
  const metastore = createPostgresMetastore({ config, connectTimeoutMs: 2_000, retryTimeoutMs: 0 })
  await expect(metastore.load('k', CREATED)).rejects.toMatchObject({ cause: unsupported })
  await metastore.close()
  asksForMd5.close()
})

test.each([
  ['FATAL', '08P01'],
  ['ERROR', '08P01'],
  ['ERROR', '25006'],
  ['FATAL', '57P01'],
])('%s %s is passing, and its connection is not used again', async (severity, code) => {
  const released: unknown[] = []
  let queries = 0
  const pool: PgPool = {
    connect: async () => ({
      async query() {
        queries += 1
        if (queries === 1) throw Object.assign(new Error('server conn crashed?'), { severity, code })
        return { rows: [], rowCount: 0 }
      },
      release: (destroy) => released.push(destroy),
    }),
  }
  const metastore = createPostgresMetastore({ pool })
  expect(await metastore.load('k', CREATED)).toBe(null)
  expect(released).toEqual([true, false])
  await metastore.close()
})

test('an error without a code is a lost connection by its text, or where the connection is known to have ended', () => {
  const wrong = new TypeError('Query values must be an array')
  expect(asLost(wrong, false)).toBe(wrong)
  expect(asLost(wrong, true)).toMatchObject({ name: 'LostConnectionError', cause: wrong })
  const ended = new Error('Connection terminated unexpectedly')
  expect(asLost(ended, false)).toMatchObject({ name: 'LostConnectionError', message: ended.message, cause: ended })
  const refused = Object.assign(new Error('Connection terminated'), { severity: 'FATAL', code: '28P01' })
  expect(asLost(refused, true)).toBe(refused)
})
