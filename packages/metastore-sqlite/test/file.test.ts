import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { expect, test } from 'vitest'
import { CREATED, systemKey } from './records.ts'
import { temporaryFolder } from './temporary-folder.ts'

const folder = temporaryFolder()
const KEY = systemKey()

let files = 0
function newPath(): string {
  files += 1
  return join(folder, `${files}.db`)
}

const schema = readFileSync(new URL('../schema.sql', import.meta.url), 'utf8')

/** The columns and indexes that a database has. */
function shapeOf(database: DatabaseSync): unknown {
  const indexes = database.prepare("PRAGMA index_list('encryption_key')").all()
  return [
    database.prepare("PRAGMA table_xinfo('encryption_key')").all(),
    indexes,
    indexes.map((index) => database.prepare(`PRAGMA index_xinfo('${String(index.name)}')`).all()),
  ]
}

test('a read creates no file, and the first store creates one that only its owner can use', async () => {
  const path = newPath()
  const metastore = createSqliteMetastore({ path })
  expect(await metastore.load(KEY.keyId, CREATED)).toBe(null)
  expect(await metastore.loadLatest(KEY.keyId)).toBe(null)
  for await (const _ of metastore.list()) expect.fail('a row of no file')
  await metastore.check()
  expect(existsSync(path)).toBe(false)
  await metastore.store(KEY.keyId, CREATED, KEY)
  const mode = (name: string): number => statSync(name).mode & 0o777
  if (process.platform !== 'win32') expect([mode(path), mode(`${path}-wal`)]).toEqual([0o600, 0o600])
  await metastore.close()
})

test('the mode of a file that is there already is left alone', async () => {
  const path = newPath()
  new DatabaseSync(path).close()
  chmodSync(path, 0o640)
  const metastore = createSqliteMetastore({ path })
  await metastore.store(KEY.keyId, CREATED, KEY)
  await metastore.close()
  if (process.platform !== 'win32') expect(statSync(path).mode & 0o777).toBe(0o640)
})

test('a new file has the table of schema.sql, WAL, and rows as asherah-ffi writes them', async () => {
  const path = newPath()
  const metastore = createSqliteMetastore({ path })
  await metastore.store(KEY.keyId, CREATED, KEY)
  const database = new DatabaseSync(path)
  const reference = new DatabaseSync(':memory:')
  reference.exec(schema)
  expect(shapeOf(database)).toEqual(shapeOf(reference))
  expect(database.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
  const key = Buffer.from(KEY.encryptedKey).toString('base64')
  expect(database.prepare('SELECT *, typeof(created) AS kind FROM encryption_key').all()).toEqual([
    {
      id: KEY.keyId,
      created: '2026-11-21 08:56:00',
      key_record: `{"Created":${CREATED},"Key":"${key}"}`,
      kind: 'text',
    },
  ])
  database.close()
  await metastore.close()
})

test('an existing table is used as it is: other columns, no migration', async () => {
  const path = newPath()
  const database = new DatabaseSync(path)
  database.exec(`CREATE TABLE Encryption_Key (note TEXT DEFAULT 'x', KEY_RECORD TEXT NOT NULL, Created DATETIME, ID VARCHAR(255),
    PRIMARY KEY (Created, ID))`)
  const before = database.prepare('SELECT name, sql FROM sqlite_schema').all()
  const metastore = createSqliteMetastore({ path })
  expect(await metastore.store(KEY.keyId, CREATED, KEY)).toBe(true)
  expect(await metastore.store(KEY.keyId, CREATED, KEY)).toBe(false)
  expect(await metastore.loadLatest(KEY.keyId)).toEqual(KEY)
  expect(database.prepare('SELECT name, sql FROM sqlite_schema').all()).toEqual(before)
  database.close()
  await metastore.close()
})

test('rows are there for a metastore that is opened later, and after the WAL was merged', async () => {
  const path = newPath()
  const first = createSqliteMetastore({ path })
  await first.store(KEY.keyId, CREATED, KEY)
  await first.close()
  const second = createSqliteMetastore({ path })
  expect(await second.load(KEY.keyId, CREATED)).toEqual(KEY)
  await second.close()
})

test('close waits for a call that runs, and leaves no WAL behind', async () => {
  const path = newPath()
  const metastore = createSqliteMetastore({ path })
  const running = metastore.store(KEY.keyId, CREATED, KEY)
  await metastore.close()
  expect(await running).toBe(true)
  expect(existsSync(`${path}-wal`)).toBe(false)
})

test('a file that is no database is a MetastoreError that names it, and stays as it is', async () => {
  const path = newPath()
  const content = 'this is a text file, and a rather long one, so that it has a whole header of SQLite'.repeat(20)
  writeFileSync(path, content)
  const metastore = createSqliteMetastore({ path })
  const error = {
    code: 'ERR_ASHERAH_METASTORE',
    message: expect.stringMatching(/\.db: the file is not an SQLite database/),
  }
  await expect(metastore.load(KEY.keyId, CREATED)).rejects.toMatchObject(error)
  await expect(metastore.loadLatest(KEY.keyId)).rejects.toMatchObject(error)
  await expect(metastore.store(KEY.keyId, CREATED, KEY)).rejects.toMatchObject(error)
  await expect(metastore.markRevoked(KEY.keyId, CREATED)).rejects.toMatchObject(error)
  expect(await metastore.check()).toMatchObject({ ok: false, findings: [{ level: 'fail', check: 'file' }] })
  await metastore.close()
  expect(readFileSync(path, 'utf8')).toBe(content)
})

test('a damaged file is a MetastoreError, and not a missing row (D-050)', async () => {
  const path = newPath()
  const writer = createSqliteMetastore({ path })
  for (let i = 0; i < 200; i++) await writer.store(`_SK_${i}`, CREATED, systemKey(`_SK_${i}`))
  await writer.close()
  const bytes = readFileSync(path)
  writeFileSync(path, bytes.fill(0x55, 4_096))
  const metastore = createSqliteMetastore({ path })
  await expect(metastore.load('_SK_5', CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  await expect(metastore.loadLatest('_SK_5')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  await metastore.close()
})

test('readOnly reads, refuses to write, and does not create', async () => {
  const path = newPath()
  const writer = createSqliteMetastore({ path })
  await writer.store(KEY.keyId, CREATED, KEY)
  const reader = createSqliteMetastore({ path, readOnly: true })
  expect(await reader.loadLatest(KEY.keyId)).toEqual(KEY)
  const refused = { code: 'ERR_ASHERAH_METASTORE', message: expect.stringContaining('readOnly') }
  await expect(reader.store(KEY.keyId, CREATED + 1, systemKey(KEY.keyId, CREATED + 1))).rejects.toMatchObject(refused)
  await expect(reader.markRevoked(KEY.keyId, CREATED)).rejects.toMatchObject(refused)
  expect((await reader.check({ keyId: KEY.keyId })).ok).toBe(true)
  await Promise.all([reader.close(), writer.close()])

  const missing = createSqliteMetastore({ path: newPath(), readOnly: true })
  await expect(missing.load(KEY.keyId, CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  expect(await missing.check()).toMatchObject({ ok: false, findings: [{ level: 'fail', check: 'file' }] })
  await missing.close()
})

test('a file without leave to write is read, and store says so', async () => {
  const locked = join(folder, 'locked')
  mkdirSync(locked, { mode: 0o755 })
  const path = join(locked, 'keys.db')
  const peer = new DatabaseSync(path)
  peer.exec(schema)
  peer.close()
  chmodSync(path, 0o444)
  chmodSync(locked, 0o555)
  const { geteuid, seteuid } = process
  // Root may write everything: for this test it becomes nobody.
  const root = geteuid?.() === 0
  chmodSync(folder, 0o755)
  if (root) seteuid?.(65_534)
  try {
    const metastore = createSqliteMetastore({ path })
    expect(await metastore.load(KEY.keyId, CREATED)).toBe(null)
    const error = { code: 'ERR_ASHERAH_METASTORE', message: expect.stringContaining('read-only') }
    await expect(metastore.store(KEY.keyId, CREATED, KEY)).rejects.toMatchObject(error)
    await metastore.close()
    const elsewhere = createSqliteMetastore({ path: join(locked, 'new.db') })
    const denied = { code: 'ERR_ASHERAH_METASTORE', message: expect.stringContaining('new.db') }
    await expect(elsewhere.store(KEY.keyId, CREATED, KEY)).rejects.toMatchObject(denied)
    await elsewhere.close()
  } finally {
    if (root) seteuid?.(0)
    chmodSync(locked, 0o755)
  }
})

test('errors other than a duplicate throw, whatever their text says (D-049, D-051)', async () => {
  const path = newPath()
  const database = new DatabaseSync(path)
  database.exec(schema)
  database.exec(`CREATE TRIGGER refuse BEFORE INSERT ON encryption_key WHEN NEW.id LIKE '_SK_refused%'
    BEGIN SELECT RAISE(ABORT, 'UNIQUE constraint failed: encryption_key.id, encryption_key.created'); END`)
  const metastore = createSqliteMetastore({ path })
  const refused = systemKey('_SK_refused')
  await expect(metastore.store(refused.keyId, CREATED, refused)).rejects.toMatchObject({
    code: 'ERR_ASHERAH_METASTORE',
  })
  expect(await metastore.store(KEY.keyId, CREATED, KEY)).toBe(true)
  expect(await metastore.store(KEY.keyId, CREATED, KEY)).toBe(false)
  database.close()
  await metastore.close()
})

test('a table that takes two ids for one does not give false for a row that is not there (D-005)', async () => {
  const path = newPath()
  const database = new DatabaseSync(path)
  database.exec(`CREATE TABLE encryption_key (id TEXT NOT NULL COLLATE NOCASE, created TIMESTAMP NOT NULL, key_record TEXT NOT NULL,
    PRIMARY KEY (id, created))`)
  const metastore = createSqliteMetastore({ path })
  const lower = systemKey('_IK_user_service_product')
  const upper = systemKey('_IK_USER_service_product')
  expect(await metastore.store(lower.keyId, CREATED, lower)).toBe(true)
  await expect(metastore.store(upper.keyId, CREATED, upper)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  expect(await metastore.load(upper.keyId, CREATED)).toBe(null)
  expect(await metastore.loadLatest(upper.keyId)).toBe(null)
  expect(await metastore.store(lower.keyId, CREATED, lower)).toBe(false)
  const { ok, findings } = await metastore.check()
  expect(ok).toBe(false)
  expect(findings.filter(({ level }) => level === 'fail')).toMatchObject([{ check: 'unique' }])
  database.close()
  await metastore.close()
})

test('ids with NUL are kept apart, and listed whole', async () => {
  const metastore = createSqliteMetastore({ path: newPath() })
  const rows = ['_SK_a', '_SK_a\0', '_SK_a\0b', '_SK_a\0c'].map((id) => systemKey(id))
  for (const row of rows) expect(await metastore.store(row.keyId, CREATED, row)).toBe(true)
  for (const row of rows) expect(await metastore.loadLatest(row.keyId)).toEqual(row)
  const listed: unknown[] = []
  for await (const row of metastore.list()) listed.push(row)
  expect(listed).toEqual(rows)
  await metastore.close()
})

test('ids that are not well-formed text, and times that are none, are refused before the file is touched', async () => {
  const path = newPath()
  const metastore = createSqliteMetastore({ path })
  const refused = { code: 'ERR_ASHERAH_INVALID_INPUT' }
  for (const keyId of ['', '_SK_\ud800', '\udc00']) {
    await expect(metastore.load(keyId, CREATED)).rejects.toMatchObject(refused)
    await expect(metastore.loadLatest(keyId)).rejects.toMatchObject(refused)
    await expect(metastore.store(keyId, CREATED, { ...KEY, keyId })).rejects.toMatchObject(refused)
    await expect(metastore.markRevoked(keyId, CREATED)).rejects.toMatchObject(refused)
  }
  for (const created of [0, -1, 1.5, Number.NaN, 2 ** 53, 253_402_300_800]) {
    await expect(metastore.store(KEY.keyId, created, { ...KEY, created })).rejects.toMatchObject(refused)
  }
  expect(existsSync(path)).toBe(false)
  await metastore.close()
})
