// The driver's `getConnection` is replaced by a double: what is shown is how sessions are opened, kept and ended.
import { createOracleMetastore } from '@asherah/metastore-oracle'
import oracledb from 'oracledb'
import { afterEach, expect, test, vi } from 'vitest'
import { createScriptedPool, oracleError } from './scripted-pool.ts'

afterEach(() => vi.restoreAllMocks())

function doubleOfDriver() {
  const pool = createScriptedPool()
  pool.script({ match: /^ALTER SESSION|FROM dual/ }, { match: /^SELECT k/, rows: [] })
  const open = vi.spyOn(oracledb, 'getConnection').mockImplementation(() => Reflect.apply(pool.getConnection, pool, []))
  return { pool, open }
}
const connectionString = 'oracle://me:pw@localhost/svc'

test('a new session is set to UTC and to binary comparison before anything else (D-048)', async () => {
  const { pool, open } = doubleOfDriver()
  const metastore = createOracleMetastore({ connectionString })
  expect(open).not.toHaveBeenCalled()
  await metastore.loadLatest('_SK_a_b')
  await metastore.loadLatest('_SK_a_b')
  expect(open.mock.calls).toEqual([[{ user: 'me', password: 'pw', connectString: 'tcp://localhost:1521/svc' }]])
  expect(pool.sent[0]?.text).toBe("ALTER SESSION SET TIME_ZONE = '+00:00' NLS_COMP = BINARY NLS_SORT = BINARY")
  expect(pool.closed).toEqual([])
  await metastore.close()
  expect(pool.closed).toEqual(['kept'])
})

test('no more sessions than maxConnections, however many calls (D-064)', async () => {
  const { open } = doubleOfDriver()
  const metastore = createOracleMetastore({ connectionString, maxConnections: 2 })
  await Promise.all(Array.from({ length: 20 }, () => metastore.loadLatest('_SK_a_b')))
  expect(open).toHaveBeenCalledTimes(2)
  await metastore.close()
})

test('a session that cannot be made ready is ended', async () => {
  const { pool } = doubleOfDriver()
  pool.script({ match: /^ALTER SESSION/, error: oracleError('ORA-01031', 1031) })
  const metastore = createOracleMetastore({ connectionString, retryTimeoutMs: 0 })
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  expect(pool.closed).toEqual(['dropped'])
  // No statement runs any more.
  expect(pool.broken).toEqual([])
  await metastore.close()
})

test('a statement that hangs is broken off: its session ends, and the next call has another one', async () => {
  const { pool, open } = doubleOfDriver()
  pool.script(
    { match: /^ALTER SESSION/ },
    { match: /^SELECT k/, times: 1, hangs: true },
    { match: /^SELECT k/, rows: [] },
  )
  const metastore = createOracleMetastore({ connectionString, queryTimeoutMs: 20, retryTimeoutMs: 0 })
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toThrow(/no answer in 20 ms \(queryTimeoutMs\)/)
  await expect.poll(() => pool.closed).toEqual(['dropped'])
  expect(pool.broken).toEqual(['running'])
  expect(await metastore.loadLatest('_SK_a_b')).toBe(null)
  expect(open).toHaveBeenCalledTimes(2)
  await metastore.close()
})

test('a session whose settings hang is broken off too', async () => {
  const { pool } = doubleOfDriver()
  pool.script({ match: /^ALTER SESSION/, hangs: true })
  const metastore = createOracleMetastore({ connectionString, connectTimeoutMs: 20, retryTimeoutMs: 0 })
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toThrow(/no answer in 20 ms/)
  await expect.poll(() => pool.closed).toEqual(['dropped'])
  await metastore.close()
})
