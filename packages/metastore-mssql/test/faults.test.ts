import { SessionFactory } from '@asherah/core'
import { createStaticKms } from '@asherah/kms-static'
import { createMssqlMetastore } from '@asherah/metastore-mssql'
import type { StatementFault } from '@asherah/testing/services'
import mssql from 'mssql'
import { afterEach, expect, test } from 'vitest'
import { freshRow } from './records.ts'
import { createTableText } from './server.ts'
import { connect, LOGIN, startStandIn } from './stand-in.ts'

const server = await startStandIn()
const metastore = connect(server)
afterEach(() => server.faults.clear())

const INSERT = /^INSERT/
const count = (keyId: string): unknown =>
  server.run('Keys', `SELECT COUNT(*) AS n FROM dbo.encryption_key WHERE id = N'${keyId}'`)[0]?.[0]
const failWith = (number: number, message: string, severity = 16): StatementFault['what'] => ({
  error: { number, message, severity },
})

for (const [number, why, severity] of [
  [1205, 'a deadlock', 13],
  [1222, 'a lock that came too late', 16],
  [10928, "Azure's limit of workers", 20],
  [40501, 'a busy server', 20],
  [40613, 'a database on the move', 20],
] as const) {
  test(`${why} (${number}) is tried again, and the row is stored once`, async () => {
    const row = freshRow()
    server.faults.onStatement({ match: INSERT, times: 2, what: failWith(number, why, severity) })
    expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
    expect(count(row.keyId)).toBe(1n)
    server.faults.onStatement({ match: /SELECT TOP \(1\)/, times: 2, what: failWith(number, why, severity) })
    expect(await metastore.load(row.keyId, row.created)).toEqual(row)
  })
}

for (const [number, why] of [
  [229, 'The INSERT permission was denied'],
  [1105, 'the disk is full'],
  [2628, 'String or binary data would be truncated'],
  [547, 'conflicted with a CHECK constraint'],
  [50_000, 'Violation of PRIMARY KEY constraint, says the text of this error'],
] as const) {
  test(`error ${number} at store is thrown, at once, and never taken for a duplicate (D-049, D-051)`, async () => {
    const row = freshRow()
    server.faults.onStatement({ match: INSERT, what: failWith(number, why) })
    await expect(metastore.store(row.keyId, row.created, row)).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
      message: expect.stringContaining(why),
      cause: { number },
    })
    expect(count(row.keyId)).toBe(0n)
  })
}

for (const [number, why] of [
  [3906, 'a database that has become read-only'],
  [978, 'a replica for read intent'],
  [976, 'a replica that takes no queries'],
  [983, 'a replica without its role'],
] as const) {
  test(`${why} (${number}) is passing, and its connection is not used again`, async () => {
    const own = await startStandIn()
    const afterFailover = connect(own)
    const row = freshRow()
    await afterFailover.loadLatest(row.keyId)
    own.faults.onStatement({ match: INSERT, what: failWith(number, why) })
    expect(await afterFailover.store(row.keyId, row.created, row)).toBe(true)
    expect(own.logins).toHaveLength(2)
    await expect.poll(() => own.connections).toBe(1)
  })
}

test('a deadlock, a denied permission and a key id that the table cannot hold do not cost the connection', async () => {
  const own = await startStandIn()
  own.run('Keys', createTableText('narrow', { idType: 'VARCHAR(512)' }))
  const hasty = connect(own, { tableName: 'narrow', retryTimeoutMs: 0 })
  const row = freshRow()
  for (const [number, severity] of [
    [1205, 13],
    [229, 14],
  ] as const) {
    own.faults.onStatement({ match: INSERT, what: failWith(number, 'refused', severity) })
    await expect(hasty.store(row.keyId, row.created, row)).rejects.toMatchObject({ cause: { number } })
  }
  const wide = freshRow(row.created, `${row.keyId}_é`)
  await expect(hasty.store(wide.keyId, wide.created, wide)).rejects.toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT' })
  expect(await hasty.store(row.keyId, row.created, row)).toBe(true)
  expect(own.logins).toHaveLength(1)
})

test('2601 of a unique index is a duplicate where the row is there, and an error where it is not (D-049)', async () => {
  const row = freshRow()
  server.faults.onStatement({ match: INSERT, what: failWith(2601, 'a unique index') })
  await expect(metastore.store(row.keyId, row.created, row)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
  server.faults.onStatement({ match: INSERT, what: failWith(2601, 'a unique index') })
  expect(await metastore.store(row.keyId, row.created, freshRow(row.created, row.keyId))).toBe(false)
})

test('a store whose answer is lost after the commit gives true, and one row is there', async () => {
  const row = freshRow()
  server.faults.onStatement({ match: INSERT, when: 'after', what: 'drop' })
  expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
  expect(count(row.keyId)).toBe(1n)
})

test('a store whose answer is lost although another row won gives false', async () => {
  const row = freshRow()
  const winner = freshRow(row.created, row.keyId)
  await metastore.store(winner.keyId, winner.created, winner)
  server.faults.onStatement({ match: INSERT, when: 'after', what: 'drop' })
  expect(await metastore.store(row.keyId, row.created, row)).toBe(false)
  expect(await metastore.load(row.keyId, row.created)).toEqual(winner)
})

test('a connection that ends during a store is replaced, and the store is done', async () => {
  const row = freshRow()
  server.faults.onStatement({ match: INSERT, times: 2, what: 'drop' })
  expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
  server.dropConnections()
  expect(await metastore.load(row.keyId, row.created)).toEqual(row)
})

test('a load that fails is an error and never a missing row, and no key is made because of it (D-050)', async () => {
  const hasty = connect(server, { retryTimeoutMs: 0 })
  const row = freshRow()
  await hasty.store(row.keyId, row.created, row)
  server.faults.onStatement({ match: /SELECT TOP/, times: 2, what: failWith(823, 'I/O error') })
  await expect(hasty.load(row.keyId, row.created)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  await expect(hasty.loadLatest(row.keyId)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })

  const kms = createStaticKms({ masterKeyHex: '0123456789abcdef'.repeat(4) })
  const factory = new SessionFactory({ service: 'd050', product: 'product', metastore: hasty, kms })
  const session = factory.getSession('partition')
  server.faults.onStatement({ match: /SELECT TOP/, times: 100, what: failWith(823, 'I/O error') })
  await expect(session.encrypt(new Uint8Array(1))).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  expect(server.run('Keys', "SELECT COUNT(*) AS n FROM dbo.encryption_key WHERE id = N'_SK_d050_product'")).toEqual([
    [0n],
  ])
  await factory.close()
})

test('no answer in queryTimeoutMs is an error, and the connection is not used again', async () => {
  const hasty = connect(server, { queryTimeoutMs: 100, retryTimeoutMs: 0, maxConnections: 1 })
  const row = freshRow()
  await hasty.store(row.keyId, row.created, row)
  server.faults.onStatement({ match: /SELECT TOP/, what: 'hang' })
  await expect(hasty.load(row.keyId, row.created)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  expect(await hasty.load(row.keyId, row.created)).toEqual(row)
})

test('an aborted signal ends a call that waits for the server, with its reason', async () => {
  const row = freshRow()
  await metastore.store(row.keyId, row.created, row)
  const controller = new AbortController()
  server.faults.onStatement({ match: /SELECT TOP/, what: 'hang' })
  const load = metastore.load(row.keyId, row.created, { signal: controller.signal })
  setTimeout(() => controller.abort('enough'), 20)
  await expect(load).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: 'enough' })
  expect(await metastore.load(row.keyId, row.created)).toEqual(row)
})

test('of 20 calls for one connection all are served in turn, while connections die at random (D-064)', async () => {
  const narrow = connect(server, { maxConnections: 1 })
  const rows = Array.from({ length: 20 }, () => freshRow())
  server.faults.onStatement({ match: INSERT, skip: 3, times: 2, what: 'drop' })
  server.faults.onStatement({ match: INSERT, skip: 5, times: 2, when: 'after', what: 'drop' })
  const stored = await Promise.all(rows.map((row) => narrow.store(row.keyId, row.created, row)))
  expect(stored).toEqual(rows.map(() => true))
  for (const row of rows) expect(await narrow.load(row.keyId, row.created)).toEqual(row)
})

test('a pool that stays exhausted is an error after acquireTimeoutMs (D-064)', async () => {
  const narrow = connect(server, { maxConnections: 1, acquireTimeoutMs: 50, retryTimeoutMs: 0 })
  const row = freshRow()
  await narrow.store(row.keyId, row.created, row)
  server.faults.onStatement({ match: /SELECT TOP/, what: { delayMs: 400 } })
  const slow = narrow.load(row.keyId, row.created)
  await expect(narrow.load(row.keyId, row.created)).rejects.toThrow(/none of 1 connections became free in 50 ms/)
  expect(await slow).toEqual(row)
})

test('a connection older than maxLifetimeMs is not used again, and an idle one is closed (D-065)', async () => {
  const brief = await startStandIn()
  const aged = connect(brief, { maxLifetimeMs: 60, idleTimeoutMs: 60 })
  const row = freshRow()
  await aged.store(row.keyId, row.created, row)
  await new Promise((resolve) => setTimeout(resolve, 80))
  expect(await aged.load(row.keyId, row.created)).toEqual(row)
  expect(brief.logins).toHaveLength(2)
  await expect.poll(() => brief.connections).toBe(0)
})

test('answers in pieces of a few bytes, and packets of the smallest size, are put together', async () => {
  const small = await startStandIn({ packetSize: 512 })
  const onSmall = connect(small)
  const rows = Array.from({ length: 20 }, () => freshRow())
  small.faults.pieces = 7
  for (const row of rows) expect(await onSmall.store(row.keyId, row.created, row)).toBe(true)
  for (const row of rows) expect(await onSmall.load(row.keyId, row.created)).toEqual(row)
})

test('close ends the connections that were opened', async () => {
  const own = await startStandIn()
  const closing = connect(own)
  const row = freshRow()
  await closing.store(row.keyId, row.created, row)
  expect(own.connections).toBe(1)
  await closing.close()
  await expect.poll(() => own.connections).toBe(0)
})

function givenPool(): Promise<mssql.ConnectionPool> {
  return new mssql.ConnectionPool({
    server: '127.0.0.1',
    port: server.port,
    user: LOGIN.name,
    password: LOGIN.password ?? '',
    database: 'Keys',
    options: { encrypt: true, trustServerCertificate: true },
    pool: { max: 1 },
  }).connect()
}

test('on a given pool, an overdue or aborted call is cancelled, and close leaves the pool open', async () => {
  const pool = await givenPool()
  const onPool = createMssqlMetastore({ pool, queryTimeoutMs: 200, retryTimeoutMs: 0 })
  const row = freshRow()
  expect(await onPool.store(row.keyId, row.created, row)).toBe(true)
  server.faults.onStatement({ match: /SELECT TOP/, times: 2, what: 'hang' })
  await expect(onPool.load(row.keyId, row.created)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  const signal = AbortSignal.timeout(50)
  await expect(onPool.load(row.keyId, row.created, { signal })).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED' })
  // The pool has one connection: it is free again only since both were cancelled.
  expect(await onPool.load(row.keyId, row.created)).toEqual(row)
  await onPool.close()
  await expect(onPool.loadLatest(row.keyId)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  expect((await pool.request().query('SELECT 1 AS one')).recordset).toEqual([{ one: 1 }])
  await pool.close()
})

test('on a given pool, a deadlock, a lost connection and a lost answer are tried again; a denied permission is not', async () => {
  const pool = await givenPool()
  const onPool = createMssqlMetastore({ pool })
  const [row, other, denied] = [freshRow(), freshRow(), freshRow()]
  server.faults.onStatement({ match: INSERT, what: failWith(1205, 'deadlock', 13) })
  server.faults.onStatement({ match: INSERT, what: 'drop' })
  expect(await onPool.store(row.keyId, row.created, row)).toBe(true)
  server.faults.onStatement({ match: INSERT, when: 'after', what: 'drop' })
  expect(await onPool.store(other.keyId, other.created, other)).toBe(true)
  server.faults.onStatement({ match: INSERT, what: failWith(229, 'denied', 14) })
  await expect(onPool.store(denied.keyId, denied.created, denied)).rejects.toMatchObject({ cause: { number: 229 } })
  await pool.close()
})
