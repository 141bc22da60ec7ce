import { createMssqlMetastore } from '@asherah/metastore-mssql'
import { expect, test } from 'vitest'
import { CREATED, freshRow } from './records.ts'
import { createTableText } from './server.ts'
import { connect, LOGIN, startStandIn } from './stand-in.ts'

const server = await startStandIn({ databases: { Keys: {}, Exact: { collation: 'Latin1_General_100_CS_AS' } } })

let tables = 0
function table(options: Parameters<typeof createTableText>[1], database = 'Keys'): string {
  const tableName = `existing_${++tables}`
  server.run(database, createTableText(tableName, options))
  return tableName
}

// As the C# library writes it: DateTime of UTC, JSON of its own order.
test('a table of a C# deployment is used as it is: its rows, its column names, its case (D-048)', async () => {
  const tableName = table({
    names: ['Id', 'Created', 'KeyRecord'],
    idType: 'NVARCHAR(255)',
    createdType: 'DATETIME2(7)',
    collation: 'SQL_Latin1_General_CP1_CI_AS',
  })
  const key = Buffer.alloc(60, 7).toString('base64')
  const json = `{"ParentKeyMeta":{"KeyId":"_SK_svc_prod","Created":${CREATED - 60}},"Key":"${key}","Created":${CREATED}}`
  server.run(
    'Keys',
    `INSERT INTO dbo.[${tableName}] (Id, Created, KeyRecord) VALUES (N'_IK_p_svc_prod', '2026-11-21T08:56:00', N'${json}')`,
  )
  const metastore = connect(server, { tableName: tableName.toUpperCase(), maxKeyIdLength: 255 })
  const row = await metastore.load('_IK_p_svc_prod', CREATED)
  expect(row).toMatchObject({ created: CREATED, revoked: false, parentKeyMeta: { keyId: '_SK_svc_prod' } })
  expect(await metastore.loadLatest('_IK_p_svc_prod')).toEqual(row)
  const next = freshRow(CREATED + 60, '_IK_p_svc_prod')
  expect(await metastore.store(next.keyId, next.created, next)).toBe(true)
  expect(await metastore.store(next.keyId, next.created, next)).toBe(false)
  expect(await metastore.markRevoked('_IK_p_svc_prod', CREATED)).toBe(true)
  expect(server.run('Keys', `SELECT KeyRecord FROM dbo.[${tableName}] WHERE Created = '2026-11-21T08:56:00'`)).toEqual([
    [`{"Revoked":true,${json.slice(1)}`],
  ])
  expect((await metastore.check({ keyId: '_IK_p_svc_prod' })).ok).toBe(true)
})

test('names are found whatever their case where the database is case-sensitive, and an ambiguous name is refused', async () => {
  server.run('Exact', createTableText('Encryption_Key', { names: ['ID', 'CREATED', 'KEY_RECORD'] }))
  const config = { host: '127.0.0.1', port: server.port, database: 'Exact', user: 'me', password: LOGIN.password }
  const row = freshRow()
  const metastore = connect(server, { config })
  expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
  expect(await metastore.load(row.keyId, row.created)).toEqual(row)
  expect((await metastore.check()).ok).toBe(true)
  server.run('Exact', createTableText('ENCRYPTION_KEY', {}))
  await expect(connect(server, { config }).loadLatest('_SK_a_b')).rejects.toThrow(/2 tables whose names differ/)
  expect(await connect(server, { config, tableName: 'Encryption_Key' }).load(row.keyId, row.created)).toEqual(row)
})

for (const collation of ['SQL_Latin1_General_CP1_CI_AS', 'Latin1_General_100_CI_AI', 'Latin1_General_100_CS_AS']) {
  test(`ids are compared exactly under ${collation}: never another partition's row (D-005)`, async () => {
    const tableName = table({ collation })
    const metastore = connect(server, { tableName })
    const [row, other] = [freshRow(CREATED, '_IK_user_svc_prod'), freshRow(CREATED + 60, '_IK_USER_svc_prod')]
    await metastore.store(row.keyId, row.created, row)
    await metastore.store(other.keyId, other.created, other)
    expect(await metastore.load(row.keyId, row.created)).toEqual(row)
    expect(await metastore.load(other.keyId, row.created)).toBeNull()
    expect(await metastore.loadLatest(row.keyId)).toEqual(row)
    expect(await metastore.loadLatest(other.keyId)).toEqual(other)
    expect(await metastore.loadLatest('_IK_us\u00e9r_svc_prod')).toBeNull()
    expect(await metastore.loadLatest(`${row.keyId} `)).toBeNull()
    expect(await metastore.markRevoked('_IK_User_svc_prod', CREATED)).toBe(false)
    const listed: string[] = []
    for await (const { keyId } of metastore.list()) listed.push(keyId)
    expect(listed).toEqual(['_IK_USER_svc_prod', '_IK_user_svc_prod'])
  })
}

test('two partitions whose ids differ in case alone, in one second, under a case-insensitive key: an error, no false', async () => {
  const metastore = connect(server, { tableName: table({ collation: 'SQL_Latin1_General_CP1_CI_AS' }) })
  const [row, other] = [freshRow(CREATED, '_IK_user_svc_prod'), freshRow(CREATED, '_IK_USER_svc_prod')]
  expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
  await expect(metastore.store(other.keyId, other.created, other)).rejects.toMatchObject({
    code: 'ERR_ASHERAH_METASTORE',
  })
  const { ok, findings } = await metastore.check()
  expect(ok).toBe(true)
  expect(findings.find(({ check }) => check === 'collation')).toMatchObject({ level: 'warn' })
})

test('a table that is not there: an error that says what makes it', async () => {
  const load = connect(server, { tableName: 'nowhere' }).loadLatest('_SK_svc_prod')
  await expect(load).rejects.toThrow(/nowhere.*; schema\.sql in the package of this metastore makes the table$/)
})

test('schema and table names of any sign are quoted (D-068)', async () => {
  const tableName = 'k] DROP TABLE x; --'
  server.run('Keys', createTableText(tableName.replaceAll(']', ']]'), {}))
  const metastore = connect(server, { tableName })
  const row = freshRow()
  expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
  expect((await metastore.check()).ok).toBe(true)
})

test('a VARCHAR id column takes ASCII, and refuses what it would change (D-008)', async () => {
  const metastore = connect(server, {
    tableName: table({ idType: 'VARCHAR(255)', collation: 'SQL_Latin1_General_CP1_CI_AS' }),
  })
  const row = freshRow()
  expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
  const wide = freshRow(CREATED, '_IK_中_svc_prod')
  await expect(metastore.store(wide.keyId, wide.created, wide)).rejects.toMatchObject({
    code: 'ERR_ASHERAH_INVALID_INPUT',
  })
  expect(await metastore.load(wide.keyId, wide.created)).toBeNull()
  const { findings } = await metastore.check()
  expect(findings.find(({ check }) => check === 'unicode')).toMatchObject({ level: 'warn' })
})

test('check finds what is unfit: no key, wrong types, bad JSON, a fraction of a second', async () => {
  const noKey = connect(server, { tableName: table({ key: '' }) })
  const failed = async (metastore: typeof noKey) => [
    ...new Set((await metastore.check()).findings.filter(({ level }) => level === 'fail').map(({ check }) => check)),
  ]
  expect(await failed(noKey)).toEqual(['unique'])
  expect(await failed(connect(server, { tableName: table({ createdType: 'BIGINT' }) }))).toEqual(['columns'])
  const tableName = table({})
  server.run(
    'Keys',
    `INSERT INTO dbo.[${tableName}] (id, created, key_record) VALUES (N'a', '2026-11-21T08:56:00', N'no json')`,
  )
  server.run(
    'Keys',
    `INSERT INTO dbo.[${tableName}] (id, created, key_record) VALUES (N'b', '2026-11-21T08:56:00.500', N'{}')`,
  )
  expect(await failed(connect(server, { tableName }))).toEqual(['json', 'created'])
})

test('a column of local time is read and written as such, also in the hours of a clock change (D-048)', async () => {
  const tableName = table({ createdType: 'DATETIME' })
  const zoned = connect(server, { tableName, columnTimeZone: 'America/New_York' })
  const stored = freshRow(Date.parse('2025-07-01T12:00:00Z') / 1_000)
  expect(await zoned.store(stored.keyId, stored.created, stored)).toBe(true)
  expect(await zoned.load(stored.keyId, stored.created)).toEqual(stored)
  expect(server.run('Keys', `SELECT CONVERT(NVARCHAR(33), created, 126) AS t FROM dbo.[${tableName}]`)).toEqual([
    ['2025-07-01T08:00:00'],
  ])
  // The clock skips 02:00 to 03:00 on 9 March 2025, and shows 01:00 to 02:00 twice on 2 November.
  const keyId = '_IK_zone_svc_prod'
  const times = [
    '2025-03-09T06:59:59Z',
    '2025-03-09T07:00:00Z',
    '2025-11-02T05:30:00Z',
    '2025-11-02T06:10:00Z',
    '2025-11-02T07:00:00Z',
  ]
  const rows = times.map((time) => freshRow(Date.parse(time) / 1_000, keyId))
  for (const row of rows) {
    expect(await zoned.store(row.keyId, row.created, row)).toBe(true)
    expect(await zoned.loadLatest(keyId)).toEqual(row)
  }
  for (const row of rows) {
    expect(await zoned.load(keyId, row.created)).toEqual(row)
    expect(await zoned.loadLatest(keyId, { notAfter: row.created })).toEqual(row)
  }
  const listed: number[] = []
  for await (const row of zoned.list()) if (row.keyId === keyId) listed.push(row.created)
  expect(listed).toEqual(rows.map(({ created }) => created))
  // The same time on the clock, an hour later: the table's key has no room for it.
  const again = freshRow(Date.parse('2025-11-02T06:30:00Z') / 1_000, keyId)
  expect(await zoned.load(keyId, again.created)).toBeNull()
  await expect(zoned.store(keyId, again.created, again)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  expect((await zoned.check()).findings.find(({ check }) => check === 'local-time')).toMatchObject({ level: 'warn' })
})

test('ids with control characters and beyond U+D7FF are listed by their bytes, a page at a time', async () => {
  const metastore = connect(server, { tableName: table({}) })
  const names = ['a', 'a\t', 'a\u0001b', 'ab', 'a b', '😀', '\uff61', '\ud7ff', '\ue000x', 'z']
  const rows = [
    ...Array.from({ length: 1_100 }, (_, i) => freshRow(CREATED, `_IK_${String(i).padStart(5, '0')}`)),
    ...names.map((name) => freshRow(CREATED, `_IK_${name}`)),
    ...names.map((name) => freshRow(CREATED, `_IK_00500${name}`)),
  ]
  for (let at = 0; at < rows.length; at += 50) {
    await Promise.all(rows.slice(at, at + 50).map((row) => metastore.store(row.keyId, row.created, row)))
  }
  const byBytes = rows.map(({ keyId }) => keyId).toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const listed: string[] = []
  for await (const { keyId } of metastore.list()) listed.push(keyId)
  expect(listed).toEqual(byBytes)
  for (const after of ['_IK_a', '_IK_a\t', '_IK_00500', '_IK_😀', '_IK_\uff61']) {
    const rest: string[] = []
    for await (const { keyId } of metastore.list({ after: { keyId: after, created: CREATED } })) rest.push(keyId)
    expect(rest).toEqual(byBytes.slice(byBytes.indexOf(after) + 1))
  }
})

test('options that cannot be used are refused by name (D-065, D-069)', () => {
  const connectionString = 'Server=db.example;Database=Keys;User ID=me;Password=hunter2'
  const bad = (options: object, message: RegExp) => {
    expect(() => createMssqlMetastore(options)).toThrow(message)
    expect(() => createMssqlMetastore(options)).not.toThrow(/hunter2/)
  }
  bad({}, /exactly one of connectionString, config and pool/)
  bad({ connectionString, config: { host: 'x', database: 'y' } }, /exactly one of/)
  bad({ connectionString, tabelName: 'x' }, /did you mean tableName/)
  bad({ connectionString, maxConnections: 0 }, /maxConnections must be/)
  bad({ connectionString, columnTimeZone: 'Mars/Base' }, /columnTimeZone/)
  bad({ connectionString, tableName: '' }, /tableName/)
  bad({ pool: { request: () => {} }, maxConnections: 3 }, /maxConnections is for own connections/)
  bad({ pool: {} }, /pool must be a ConnectionPool/)
  bad({ config: { host: 'x', database: 'y' } }, /exactly one login/)
  bad(
    { config: { host: 'x', database: 'y', user: 'me', password: 'p', port: 1, instanceName: 'i' } },
    /exclude each other/,
  )
  bad({ config: { host: 'x', database: 'y', user: 'me', pasword: 'p' } }, /did you mean password/)
  bad({ connectionString, credential: {} }, /credential must have a method getToken/)
})
