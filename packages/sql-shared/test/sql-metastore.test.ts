import { createPool, createSqlMetastore, LostConnectionError, type SqlMetastoreSettings } from '@asherah/sql-shared'
import { expect, test } from 'vitest'
import { CREATED, driverError, fakeConnector, fakeDialect, keyOf, LIMITS, SETTINGS } from './fakes.ts'

function metastoreOf(settings: Partial<SqlMetastoreSettings> = {}) {
  const dialect = fakeDialect()
  const connector = fakeConnector()
  const metastore = createSqlMetastore(dialect, createPool('Fake', connector, LIMITS), { ...SETTINGS, ...settings })
  return { dialect, connector, metastore }
}

/** Throws once, then lets everything pass. */
function once(method: string, error: unknown) {
  let thrown = false
  return (called: string) => {
    if (called !== method || thrown) return
    thrown = true
    throw error
  }
}

test.each(['DEADLOCK', 'ECONNRESET'])('a store that fails with %s is tried again', async (code) => {
  const { dialect, metastore } = metastoreOf()
  dialect.before = once('insert', driverError(code))
  expect(await metastore.store('k', CREATED, keyOf('k'))).toBe(true)
  expect(dialect.rows).toHaveLength(1)
})

test.each(['DISK_FULL', 'PERMISSION_DENIED', 'BAD_DATA'])(
  'D-049 D-051 a store that fails with %s throws it, and is no duplicate whatever its text says',
  async (code) => {
    const { dialect, metastore } = metastoreOf()
    const error = driverError(code, 'a duplicate key, says the text')
    dialect.before = once('insert', error)
    await expect(metastore.store('k', CREATED, keyOf('k'))).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
      cause: error,
      message: `Fake store: a duplicate key, says the text (${code})`,
    })
    expect(dialect.rows).toHaveLength(0)
  },
)

test('a table that is not there: the message says what makes it, at once', async () => {
  const { dialect, metastore } = metastoreOf()
  let calls = 0
  dialect.before = () => {
    calls += 1
    throw driverError('NO_TABLE', 'relation "encryption_key" does not exist')
  }
  await expect(metastore.loadLatest('k')).rejects.toMatchObject({
    code: 'ERR_ASHERAH_METASTORE',
    message:
      'Fake loadLatest: relation "encryption_key" does not exist (NO_TABLE); schema.sql in the package of this metastore makes the table',
  })
  expect(calls).toBe(1)
})

test('a statement without an answer: the message names the option', async () => {
  const { dialect, metastore } = metastoreOf({ queryTimeoutMs: 20, retryTimeoutMs: 0 })
  dialect.before = () => new Promise(() => {})
  await expect(metastore.loadLatest('k')).rejects.toThrow('Fake loadLatest: no answer in 20 ms (queryTimeoutMs)')
})

test('a duplicate of a row that is not there is an error: the index takes other ids for equal', async () => {
  const { dialect, metastore } = metastoreOf()
  dialect.before = once('insert', driverError('DUPLICATE'))
  await expect(metastore.store('k', CREATED, keyOf('k'))).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
})

test('a lost connection after the commit: the row that is there is told apart by its key', async () => {
  for (const [there, expected] of [
    [keyOf('k', 1), true],
    [keyOf('k', 2), false],
  ] as const) {
    const { dialect, metastore } = metastoreOf()
    await metastore.store('k', CREATED, there)
    dialect.before = once('insert', new LostConnectionError('gone'))
    expect(await metastore.store('k', CREATED, keyOf('k', 1))).toBe(expected)
  }
})

test('D-050 a read that fails is a MetastoreError, never null', async () => {
  const { dialect, metastore } = metastoreOf({ retryTimeoutMs: 0 })
  dialect.before = () => {
    throw driverError('ECONNREFUSED', '')
  }
  for (const call of [() => metastore.load('k', CREATED), () => metastore.loadLatest('k')]) {
    await expect(call()).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  }
})

test('D-053 where reads may lag, a row that comes 200 ms late is found; elsewhere a miss is a miss', async () => {
  for (const readsMayLag of [true, false]) {
    const { dialect, metastore } = metastoreOf({ readsMayLag })
    const { load } = dialect
    const visibleAt = Date.now() + 200
    dialect.load = async (...args) => (Date.now() < visibleAt ? undefined : load.apply(dialect, args))
    await metastore.store('k', CREATED, keyOf('k'))
    const loaded = await metastore.load('k', CREATED)
    expect(loaded?.keyId).toBe(readsMayLag ? 'k' : undefined)
  }
})

test('a row of another id or created is corrupt, whatever the server compared (D-005)', async () => {
  const { dialect, metastore } = metastoreOf()
  await metastore.store('K', CREATED, keyOf('K'))
  dialect.load = async () => dialect.rows[0]
  dialect.loadLatest = async () => dialect.rows[0]
  await expect(metastore.load('k', CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
  await expect(metastore.load('K', CREATED + 1)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
  await expect(metastore.loadLatest('k')).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
})

test('markRevoked starts again when the row changed under it, and keeps what the other one wrote', async () => {
  const { dialect, metastore } = metastoreOf()
  await metastore.store('k', CREATED, keyOf('k'))
  const { replace } = dialect
  let tries = 0
  dialect.replace = async (...args) => {
    tries += 1
    const row = dialect.rows[0]
    if (tries === 1 && row !== undefined) {
      dialect.rows[0] = { ...row, keyRecord: String(row.keyRecord).replace('{', '{"Note":1,') }
    }
    return replace.apply(dialect, args)
  }
  expect(await metastore.markRevoked('k', CREATED)).toBe(true)
  expect(tries).toBe(2)
  expect(JSON.parse(String(dialect.rows[0]?.keyRecord))).toMatchObject({ Note: 1, Revoked: true, Created: CREATED })
})

test('retries end with the deadline, and with the signal', async () => {
  const { dialect, metastore } = metastoreOf({ retryTimeoutMs: 60 })
  let tries = 0
  dialect.before = () => {
    tries += 1
    throw driverError('DEADLOCK')
  }
  await expect(metastore.load('k', CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  expect(tries).toBeGreaterThan(1)
  const patient = metastoreOf({ retryTimeoutMs: 600_000 })
  patient.dialect.before = dialect.before
  const controller = new AbortController()
  const reason = new Error('the caller has gone')
  setTimeout(() => controller.abort(reason), 30)
  await expect(patient.metastore.load('k', CREATED, { signal: controller.signal })).rejects.toMatchObject({
    code: 'ERR_ASHERAH_ABORTED',
    cause: reason,
  })
})

test('after an error of the server the connection is used again; after a lost one it is not', async () => {
  const { dialect, connector, metastore } = metastoreOf({ retryTimeoutMs: 0 })
  dialect.before = once('load', driverError('DISK_FULL'))
  await expect(metastore.load('k', CREATED)).rejects.toThrow()
  await metastore.load('k', CREATED)
  expect(connector.opened).toHaveLength(1)
  dialect.before = once('load', new LostConnectionError('gone'))
  await expect(metastore.load('k', CREATED)).rejects.toThrow()
  await metastore.load('k', CREATED)
  expect(connector.opened).toHaveLength(2)
  expect(connector.closed.size).toBe(1)
})
