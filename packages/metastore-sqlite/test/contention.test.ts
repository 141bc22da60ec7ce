import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { expect, test } from 'vitest'
import { CREATED, systemKey } from './records.ts'
import { temporaryFolder } from './temporary-folder.ts'

const folder = temporaryFolder()
const KEY = systemKey()
const LATER = systemKey(KEY.keyId, CREATED + 1)

let files = 0
function newPath(): string {
  files += 1
  return join(folder, `${files}.db`)
}

/** A file with one row, and a peer's connection to it that will not wait. */
async function shared(): Promise<{ path: string; peer: DatabaseSync }> {
  const path = newPath()
  const metastore = createSqliteMetastore({ path })
  await metastore.store(KEY.keyId, CREATED, KEY)
  await metastore.close()
  const peer = new DatabaseSync(path)
  peer.exec('PRAGMA busy_timeout = 0')
  return { path, peer }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

test("a store waits for a peer's transaction, and the event loop goes on (D-107)", async () => {
  const { path, peer } = await shared()
  const metastore = createSqliteMetastore({ path })
  peer.exec('BEGIN IMMEDIATE')
  let done = false
  const storing = metastore.store(LATER.keyId, LATER.created, LATER).finally(() => {
    done = true
  })
  // The peer is in this thread: a store that blocked it would wait for its own timer until the time-out.
  for (let i = 0; i < 10; i++) await pause(5)
  expect(done).toBe(false)
  expect(await metastore.load(KEY.keyId, CREATED)).toEqual(KEY)
  peer.exec('COMMIT')
  expect(await storing).toBe(true)
  expect(await metastore.load(LATER.keyId, LATER.created)).toEqual(LATER)
  peer.close()
  await metastore.close()
})

test('a store that had to wait and then finds the row gives false; one that had to wait and inserts gives true', async () => {
  const { path, peer } = await shared()
  const metastore = createSqliteMetastore({ path })
  peer.exec('BEGIN IMMEDIATE')
  const other = systemKey(LATER.keyId, LATER.created, 'the peer')
  peer
    .prepare("INSERT INTO encryption_key VALUES (?, datetime(?, 'unixepoch'), ?)")
    .run(
      other.keyId,
      other.created,
      JSON.stringify({ Created: other.created, Key: Buffer.from(other.encryptedKey).toString('base64') }),
    )
  const loser = metastore.store(LATER.keyId, LATER.created, LATER)
  const third = systemKey(KEY.keyId, CREATED + 2)
  const winner = metastore.store(third.keyId, third.created, third)
  await pause(20)
  peer.exec('COMMIT')
  expect(await Promise.all([loser, winner])).toEqual([false, true])
  expect(await metastore.load(other.keyId, other.created)).toEqual(other)
  peer.close()
  await metastore.close()
})

test('a lock that is held too long is a MetastoreError that says so, and nothing is written', async () => {
  const { path, peer } = await shared()
  const metastore = createSqliteMetastore({ path, busyTimeoutMs: 60 })
  peer.exec('BEGIN IMMEDIATE')
  const error = { code: 'ERR_ASHERAH_METASTORE', message: expect.stringContaining('locked by others for over 60 ms') }
  await expect(metastore.store(LATER.keyId, LATER.created, LATER)).rejects.toMatchObject(error)
  await expect(metastore.markRevoked(KEY.keyId, CREATED)).rejects.toMatchObject(error)
  peer.exec('ROLLBACK')
  expect(await metastore.load(LATER.keyId, LATER.created)).toBe(null)
  expect(await metastore.load(KEY.keyId, CREATED)).toEqual(KEY)
  expect(await metastore.store(LATER.keyId, LATER.created, LATER)).toBe(true)
  peer.close()
  await metastore.close()
})

test('a signal ends the wait for a lock, and nothing is written', async () => {
  const { path, peer } = await shared()
  const metastore = createSqliteMetastore({ path })
  peer.exec('BEGIN IMMEDIATE')
  const controller = new AbortController()
  const storing = metastore.store(LATER.keyId, LATER.created, LATER, { signal: controller.signal })
  await pause(10)
  controller.abort(new Error('gone'))
  await expect(storing).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: new Error('gone') })
  peer.exec('ROLLBACK')
  expect(await metastore.load(LATER.keyId, LATER.created)).toBe(null)
  peer.close()
  await metastore.close()
})

test('close waits for a store that waits for a lock', async () => {
  const { path, peer } = await shared()
  const metastore = createSqliteMetastore({ path })
  peer.exec('BEGIN IMMEDIATE')
  const storing = metastore.store(LATER.keyId, LATER.created, LATER)
  const closing = metastore.close()
  await expect(metastore.load(KEY.keyId, CREATED)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  await pause(10)
  peer.exec('COMMIT')
  expect(await storing).toBe(true)
  await closing
  const again = createSqliteMetastore({ path })
  expect(await again.load(LATER.keyId, LATER.created)).toEqual(LATER)
  peer.close()
  await again.close()
})

test('a reader in rollback mode, as asherah-ffi opens the file, delays a store and makes no false duplicate', async () => {
  const path = newPath()
  const peer = new DatabaseSync(path)
  peer.exec(
    'CREATE TABLE encryption_key (id TEXT NOT NULL, created TIMESTAMP NOT NULL, key_record TEXT NOT NULL, PRIMARY KEY (id, created))',
  )
  peer.exec('BEGIN')
  peer.prepare('SELECT count(*) FROM encryption_key').get()
  const metastore = createSqliteMetastore({ path })
  const storing = metastore.store(KEY.keyId, CREATED, KEY)
  await pause(50)
  peer.exec('COMMIT')
  expect(await storing).toBe(true)
  expect(await metastore.store(KEY.keyId, CREATED, KEY)).toBe(false)
  expect(peer.prepare('SELECT count(*) AS rows FROM encryption_key').get()).toEqual({ rows: 1 })
  peer.close()
  await metastore.close()
})

test('what the retries rest on: an insert whose commit SQLite refuses as busy took no effect', () => {
  const path = newPath()
  const [reader, writer] = [new DatabaseSync(path), new DatabaseSync(path)]
  writer.exec('CREATE TABLE t (x PRIMARY KEY); PRAGMA busy_timeout = 0')
  reader.exec('BEGIN')
  reader.prepare('SELECT * FROM t').all()
  const insert = writer.prepare('INSERT INTO t SELECT $x WHERE NOT EXISTS (SELECT 1 FROM t WHERE x = $x)')
  // Rollback mode: the insert runs, and its commit meets the reader.
  expect(() => insert.run({ x: 1 })).toThrow(expect.objectContaining({ errcode: 5 }))
  expect(writer.prepare('SELECT * FROM t').all()).toEqual([])
  reader.exec('COMMIT')
  expect(insert.run({ x: 1 }).changes).toBe(1)
  reader.close()
  writer.close()
})

test('many stores and reads at once, through two metastores, all end well', async () => {
  const path = newPath()
  const both = [createSqliteMetastore({ path }), createSqliteMetastore({ path })]
  const rows = Array.from({ length: 100 }, (_, i) => systemKey('_SK_many', CREATED + i))
  const results = await Promise.all(
    rows.flatMap((row) =>
      both.map(async (metastore) => {
        const stored = await metastore.store(row.keyId, row.created, row)
        expect(await metastore.load(row.keyId, row.created)).toEqual(row)
        return stored
      }),
    ),
  )
  expect(results.filter(Boolean)).toHaveLength(100)
  await Promise.all(both.map((metastore) => metastore.close()))
})
