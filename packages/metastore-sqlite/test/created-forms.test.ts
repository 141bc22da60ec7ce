import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { expect, test } from 'vitest'
import { CREATED, systemKey } from './records.ts'
import { temporaryFolder } from './temporary-folder.ts'

const folder = temporaryFolder()
const ID = '_SK_service_product'

let files = 0

/** A file whose rows have these `created` values, one per second from CREATED on, and bodies to match. */
function fileWith(values: readonly (string | number | null)[], type = 'TIMESTAMP'): string {
  files += 1
  const path = join(folder, `${files}.db`)
  const database = new DatabaseSync(path)
  database.exec(
    `CREATE TABLE encryption_key (id TEXT NOT NULL, created ${type}, key_record TEXT NOT NULL, PRIMARY KEY (id, created))`,
  )
  const insert = database.prepare('INSERT INTO encryption_key VALUES (?, ?, ?)')
  values.forEach((value, i) => {
    const { encryptedKey, created } = systemKey(ID, CREATED + i)
    // As an integer: node:sqlite binds numbers as REAL.
    insert.run(
      ID,
      Number.isSafeInteger(value) ? BigInt(value ?? 0) : value,
      JSON.stringify({ Created: created, Key: Buffer.from(encryptedKey).toString('base64') }),
    )
  })
  database.close()
  return path
}

/** Six seconds in six forms. */
const FORMS: readonly (string | number)[] = [
  '2026-11-21 08:56:00',
  CREATED + 1,
  '2026-11-21T08:56:02Z',
  '2026-11-21 08:56:03.250',
  '2026-11-21T10:56:04+02:00',
  CREATED + 5,
]

test.each(['TIMESTAMP', 'TEXT', 'INTEGER', 'REAL', 'DATETIME', ''])(
  'time text, ISO text and epoch numbers in a column of type "%s" are read and ordered by their seconds (D-070)',
  async (type) => {
    const metastore = createSqliteMetastore({ path: fileWith(FORMS, type), readOnly: true })
    for (let i = 0; i < FORMS.length; i++) {
      const row = systemKey(ID, CREATED + i)
      expect(await metastore.load(ID, CREATED + i)).toEqual(row)
      expect(await metastore.loadLatest(ID, { notAfter: CREATED + i })).toEqual(row)
    }
    expect(await metastore.loadLatest(ID)).toEqual(systemKey(ID, CREATED + 5))
    expect(await metastore.loadLatest(ID, { notAfter: CREATED - 1 })).toBe(null)
    expect(await metastore.load(ID, CREATED + 6)).toBe(null)
    const created: number[] = []
    for await (const row of metastore.list()) created.push(row.created)
    expect(created).toEqual(FORMS.map((_, i) => CREATED + i))
    await metastore.close()
  },
)

test('text sorts above epoch numbers: the later number is the latest all the same', async () => {
  const metastore = createSqliteMetastore({ path: fileWith(['2026-11-21 08:56:00', CREATED + 1]) })
  expect(await metastore.loadLatest(ID)).toEqual(systemKey(ID, CREATED + 1))
  await metastore.close()
})

test('store gives false for a second that is there in another form', async () => {
  const path = fileWith(FORMS)
  const metastore = createSqliteMetastore({ path })
  for (let i = 0; i < FORMS.length; i++) {
    const other = systemKey(ID, CREATED + i, 'another writer')
    expect(await metastore.store(ID, CREATED + i, other)).toBe(false)
    expect(await metastore.load(ID, CREATED + i)).toEqual(systemKey(ID, CREATED + i))
  }
  expect(await metastore.store(ID, CREATED + 6, systemKey(ID, CREATED + 6))).toBe(true)
  await metastore.close()
})

test('markRevoked finds a row in any form', async () => {
  const metastore = createSqliteMetastore({ path: fileWith(FORMS) })
  for (let i = 0; i < FORMS.length; i++) {
    expect(await metastore.markRevoked(ID, CREATED + i)).toBe(true)
    expect(await metastore.load(ID, CREATED + i)).toEqual({ ...systemKey(ID, CREATED + i), revoked: true })
  }
  await metastore.close()
})

test('of one second in two forms every read gives the same row, ours, and check tells of both', async () => {
  const path = fileWith([CREATED])
  const database = new DatabaseSync(path)
  const ours = systemKey(ID, CREATED, 'ours')
  const body = JSON.stringify({ Created: CREATED, Key: Buffer.from(ours.encryptedKey).toString('base64') })
  database.prepare("INSERT INTO encryption_key VALUES (?, '2026-11-21 08:56:00', ?)").run(ID, body)
  database.close()
  const metastore = createSqliteMetastore({ path })
  expect(await metastore.load(ID, CREATED)).toEqual(ours)
  expect(await metastore.loadLatest(ID)).toEqual(ours)
  const listed: unknown[] = []
  for await (const row of metastore.list()) listed.push(row)
  expect(listed).toEqual([ours])
  const { findings } = await metastore.check()
  expect(findings.filter(({ level }) => level === 'fail')).toMatchObject([
    { check: 'doubles', message: expect.stringContaining('1 keys') },
  ])
  await metastore.close()
})

const NO_TIMES: readonly (string | number | null)[] = [
  'now',
  '',
  'garbage',
  '2026-13-45 99:99:99',
  '08:56:00',
  '2026-11-21 08:56:00 tomorrow',
  Number.MAX_SAFE_INTEGER * 8,
  1.5,
  null,
]

test.each(NO_TIMES)('a created of %j is a CorruptRecordError, and not a missing row (D-056)', async (value) => {
  const metastore = createSqliteMetastore({ path: fileWith([value]) })
  const corrupt = { code: 'ERR_ASHERAH_CORRUPT_RECORD' }
  await expect(metastore.load(ID, CREATED)).rejects.toMatchObject(corrupt)
  await expect(metastore.loadLatest(ID)).rejects.toMatchObject(corrupt)
  const { ok, findings } = await metastore.check()
  expect(ok).toBe(false)
  expect(findings.filter(({ level }) => level === 'fail')).toMatchObject([{ check: 'created' }])
  await metastore.close()
})

test.each(['-1', -1, 0, '1960-01-01 00:00:00'])(
  'a created of %j, before 1970, is a CorruptRecordError',
  async (value) => {
    const metastore = createSqliteMetastore({ path: fileWith([value]) })
    await expect(metastore.loadLatest(ID)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
    await metastore.close()
  },
)

test('a good row is found beside one whose time cannot be read', async () => {
  const metastore = createSqliteMetastore({ path: fileWith(['2026-11-21 08:56:00', 'garbage']) })
  expect(await metastore.load(ID, CREATED)).toEqual(systemKey(ID, CREATED))
  await expect(metastore.load(ID, CREATED + 1)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
  await metastore.close()
})

test('a body that is no text is a CorruptRecordError', async () => {
  const path = fileWith([CREATED])
  const database = new DatabaseSync(path)
  for (const value of [new Uint8Array([123, 125]), 7, 1.5]) {
    database.prepare('UPDATE encryption_key SET key_record = ?').run(value)
    const metastore = createSqliteMetastore({ path })
    await expect(metastore.load(ID, CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
    await expect(metastore.loadLatest(ID)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
    await metastore.close()
  }
  database.close()
})

test('markRevoked changes the flag and nothing else: not the order, unknown fields or big numbers', async () => {
  const path = fileWith([CREATED])
  const database = new DatabaseSync(path)
  const { encryptedKey } = systemKey()
  const start = `{"X":12345678901234567890,"Key":"${Buffer.from(encryptedKey).toString('base64')}","é\\u00e9":[1.50,null],"Created":${CREATED}`
  const bodies = [
    [`${start}}`, `${start},"Revoked":true}`],
    [`${start},"Revoked":null}`, `${start},"Revoked":true}`],
    [`${start},"Revoked":false}`, `${start},"Revoked":true}`],
    [`${start},"Revoked":true}`, `${start},"Revoked":true}`],
  ]
  const metastore = createSqliteMetastore({ path })
  for (const [before, after] of bodies) {
    database.prepare('UPDATE encryption_key SET key_record = ?').run(before ?? '')
    expect(await metastore.markRevoked(ID, CREATED)).toBe(true)
    expect(database.prepare('SELECT key_record FROM encryption_key').get()).toEqual({ key_record: after })
  }
  database.prepare('UPDATE encryption_key SET key_record = ?').run('{"Created":')
  await expect(metastore.markRevoked(ID, CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
  expect(database.prepare('SELECT key_record FROM encryption_key').get()).toEqual({ key_record: '{"Created":' })
  database.close()
  await metastore.close()
})
