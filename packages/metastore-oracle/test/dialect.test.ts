// These tests run against a pool that answers by script: they prove what is sent, how answers are read and how errors are
// taken. They do not prove that Oracle takes the SQL; `conformance.test.ts` does, wherever a database can be had.
import { createOracleMetastore } from '@asherah/metastore-oracle'
import oracledb from 'oracledb'
import { expect, test, vi } from 'vitest'
import { COLUMNS, createScriptedPool, oracleError } from './scripted-pool.ts'

const KEY = Buffer.alloc(60, 7)
const CREATED = 1_795_251_360
const RECORD = { keyId: '_IK_p_svc_prod', created: CREATED, encryptedKey: new Uint8Array(KEY), revoked: false }
const JSON_TEXT = `{"Created":${CREATED},"Key":"${KEY.toString('base64')}"}`
const ROW = { id: RECORD.keyId, created: '2026-11-21T08:56:00.000000', key_record: JSON_TEXT }
const INSERT = /^INSERT/
const SELECT = /^SELECT k/

test('load binds id and seconds, reads the CLOB as text, and takes the time as UTC whatever the zone (D-048)', async () => {
  const pool = createScriptedPool()
  pool.script({ match: SELECT, rows: [ROW] })
  const metastore = createOracleMetastore({ pool })
  expect(await metastore.load(RECORD.keyId, CREATED)).toEqual(RECORD)
  expect(pool.sent[0]?.binds).toEqual({ id: RECORD.keyId, created: CREATED })
  expect(pool.sent[0]?.text).toContain("(TIMESTAMP '1970-01-01 00:00:00' + NUMTODSINTERVAL(:created, 'SECOND'))")
  expect(pool.sent[0]?.text).toContain(
    `k."ID" = :id AND NLSSORT(k."ID", 'NLS_SORT=BINARY') = NLSSORT(:id, 'NLS_SORT=BINARY')`,
  )
  expect(pool.closed).toEqual(['kept'])
})

test('loadLatest asks for one row, newest first, and binds notAfter where it is given', async () => {
  const pool = createScriptedPool()
  pool.script({ match: SELECT, rows: [ROW] })
  const metastore = createOracleMetastore({ pool })
  await metastore.loadLatest(RECORD.keyId)
  await metastore.loadLatest(RECORD.keyId, { notAfter: CREATED + 5 })
  expect(pool.sent.map(({ binds }) => binds)).toEqual([
    { id: RECORD.keyId },
    { id: RECORD.keyId, created: CREATED + 5 },
  ])
  for (const { text } of pool.sent) expect(text).toMatch(/ORDER BY k\."CREATED" DESC FETCH FIRST 1 ROWS ONLY$/)
})

test('a row of another id, though the server gave it, is an error and never used (D-005)', async () => {
  const pool = createScriptedPool()
  pool.script({ match: SELECT, rows: [{ ...ROW, id: '_IK_P_svc_prod' }] })
  const metastore = createOracleMetastore({ pool })
  await expect(metastore.load(RECORD.keyId, CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
})

test('store inserts with the text as a CLOB, and commits in the same call', async () => {
  const pool = createScriptedPool()
  pool.script({ match: INSERT, rowsAffected: 1 })
  expect(await createOracleMetastore({ pool }).store(RECORD.keyId, CREATED, RECORD)).toBe(true)
  const record = { val: expect.stringContaining('"Key"'), type: oracledb.DB_TYPE_CLOB }
  expect(pool.sent).toMatchObject([{ binds: { id: RECORD.keyId, created: CREATED, record }, autoCommit: true }])
})

test('ORA-00001 gives false where the row is there, and throws where it is not (D-049)', async () => {
  const pool = createScriptedPool()
  const metastore = createOracleMetastore({ pool })
  const duplicate = { match: INSERT, error: oracleError('ORA-00001', 1) }
  pool.script(duplicate, { match: SELECT, rows: [ROW] })
  expect(await metastore.store(RECORD.keyId, CREATED, RECORD)).toBe(false)
  pool.script(duplicate, { match: SELECT, rows: [] })
  await expect(metastore.store(RECORD.keyId, CREATED, RECORD)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
})

test.each([
  ['ORA-01653', 1653],
  ['ORA-01031', 1031],
  ['ORA-12899', 12899],
])('%s at store is thrown at once (D-049, D-051)', async (code, errorNum) => {
  const pool = createScriptedPool()
  pool.script({ match: INSERT, error: oracleError(code, errorNum) })
  const store = createOracleMetastore({ pool }).store(RECORD.keyId, CREATED, RECORD)
  await expect(store).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE', message: expect.stringContaining(code) })
  expect(pool.sent).toHaveLength(1)
})

test('ORA-00942: the message says what makes the table', async () => {
  const pool = createScriptedPool()
  pool.script({ match: SELECT, error: oracleError('ORA-00942', 942) })
  const load = createOracleMetastore({ pool }).load(RECORD.keyId, CREATED)
  await expect(load).rejects.toThrow('ORA-00942: as the test wrote; schema.sql in the package of this metastore')
})

test.each([
  ['ORA-00060', 60, 'kept'],
  ['ORA-00054', 54, 'kept'],
  ['ORA-03113', 3113, 'dropped'],
  ['ORA-01089', 1089, 'dropped'],
  ['ORA-16000', 16000, 'dropped'],
  ['NJS-500', 0, 'dropped'],
  ['NJS-503', 0, 'dropped'],
  ['NJS-511', 0, 'dropped'],
  ['NJS-513', 0, 'dropped'],
])(
  '%s is tried again, and its connection is used again only where its session lives',
  async (code, errorNum, closed) => {
    const pool = createScriptedPool()
    const metastore = createOracleMetastore({ pool })
    pool.script({ match: SELECT, times: 1, error: oracleError(code, errorNum) }, { match: SELECT, rows: [ROW] })
    expect(await metastore.load(RECORD.keyId, CREATED)).toEqual(RECORD)
    expect(pool.closed).toEqual([closed, 'kept'])
  },
)

test('a store that was committed although its answer was lost gives true; if another row won, false', async () => {
  const pool = createScriptedPool()
  const metastore = createOracleMetastore({ pool })
  const lost = [
    { match: INSERT, times: 1, error: oracleError('NJS-500', 0) },
    { match: INSERT, error: oracleError('ORA-00001', 1) },
  ]
  pool.script(...lost, { match: SELECT, rows: [ROW] })
  expect(await metastore.store(RECORD.keyId, CREATED, RECORD)).toBe(true)
  const other = JSON_TEXT.replace(KEY.toString('base64'), Buffer.alloc(60, 8).toString('base64'))
  pool.script(...lost, { match: SELECT, rows: [{ ...ROW, key_record: other }] })
  expect(await metastore.store(RECORD.keyId, CREATED, RECORD)).toBe(false)
})

test('markRevoked writes only over the text that it read', async () => {
  const pool = createScriptedPool()
  pool.script({ match: SELECT, rows: [ROW] }, { match: /^UPDATE/, rowsAffected: 1 })
  expect(await createOracleMetastore({ pool }).markRevoked(RECORD.keyId, CREATED)).toBe(true)
  const clob = (val: string) => ({ val, type: oracledb.DB_TYPE_CLOB })
  expect(pool.sent[1]).toMatchObject({
    text: expect.stringContaining('DBMS_LOB.COMPARE(TO_CLOB("KEY_RECORD"), :from_text) = 0'),
    binds: { from_text: clob(JSON_TEXT), to_text: clob(`{"Revoked":true,${JSON_TEXT.slice(1)}`) },
  })
})

test('a time with a fraction of a second is a row that cannot be read', async () => {
  const pool = createScriptedPool()
  pool.script({ match: SELECT, rows: [{ ...ROW, created: '2026-11-21T08:56:00.500000' }] })
  const latest = createOracleMetastore({ pool }).loadLatest(RECORD.keyId)
  await expect(latest).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
})

test('a table of quoted, lower-case names is found, and named as it is', async () => {
  const lower = COLUMNS.map((column) =>
    Object.fromEntries(Object.entries(column).map(([k, v]) => [k, k.endsWith('_name') ? String(v).toLowerCase() : v])),
  )
  const pool = createScriptedPool(lower)
  pool.script({ match: /^SELECT k/, rows: [{ ...ROW }] })
  expect(await createOracleMetastore({ pool }).load(RECORD.keyId, CREATED)).toEqual(RECORD)
  expect(pool.sent[0]?.text).toContain('FROM "APP"."encryption_key" k WHERE k."id" = :id')
})

test('check reads columns, indexes and session, and reports what is unfit', async () => {
  const key = { index_name: 'PK', uniqueness: 'UNIQUE' }
  const scripts = (sort: string) => [
    {
      match: /all_ind_columns/,
      rows: [
        { ...key, column_name: 'ID' },
        { ...key, column_name: 'CREATED' },
      ],
    },
    { match: /nls_session_parameters/, rows: [{ parameter: 'NLS_SORT', value: sort }] },
    { match: SELECT, rows: [ROW] },
  ]
  const pool = createScriptedPool()
  pool.script(...scripts('BINARY'))
  const metastore = createOracleMetastore({ pool })
  const sound = await metastore.check({ keyId: RECORD.keyId })
  expect(sound.findings.filter(({ level }) => level !== 'pass')).toEqual([])
  pool.script(...scripts('GERMAN'))
  const { findings } = await metastore.check()
  expect(findings.find(({ check }) => check === 'session')).toMatchObject({ level: 'warn' })
})

test('on a given pool, a statement that hangs, or whose call is aborted, is broken off and its connection dropped', async () => {
  const pool = createScriptedPool()
  const metastore = createOracleMetastore({ pool, queryTimeoutMs: 20, retryTimeoutMs: 0 })
  pool.script({ match: SELECT, times: 2, hangs: true }, { match: SELECT, rows: [ROW] })
  await expect(metastore.load(RECORD.keyId, CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  const signal = AbortSignal.timeout(5)
  const aborted = metastore.load(RECORD.keyId, CREATED, { signal })
  await expect(aborted).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED' })
  await expect.poll(() => pool.closed).toEqual(['dropped', 'dropped'])
  expect(await metastore.load(RECORD.keyId, CREATED)).toEqual(RECORD)
  expect(pool.closed).toEqual(['dropped', 'dropped', 'kept'])
})

test("the driver's own connection goes back by close() without options, which it takes, and not by undefined", async () => {
  const impl = {
    close: vi.fn(async () => {}),
    _getConnImpl: () => ({ _acquireLock: async () => {}, _releaseLock() {} }),
  }
  const connection: oracledb.Connection = Object.assign(Object.create(Reflect.get(oracledb, 'Connection').prototype), {
    _impl: impl,
    _dbObjectClasses: new Map(),
    execute: async () => ({ rows: COLUMNS }),
  })
  const metastore = createOracleMetastore({ pool: { getConnection: async () => connection } })
  await metastore.loadLatest(RECORD.keyId).catch(() => {})
  await expect.poll(() => impl.close.mock.calls).toEqual([[{}]])
})

test('close leaves a given pool open, and later calls are refused', async () => {
  const metastore = createOracleMetastore({ pool: createScriptedPool() })
  await metastore.close()
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
})
