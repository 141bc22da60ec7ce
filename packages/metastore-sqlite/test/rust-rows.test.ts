import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parseEnvelopeKeyRecord } from '@asherah/core/backend'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { expect, test } from 'vitest'
import { temporaryFolder } from './temporary-folder.ts'

interface RustRow {
  readonly id: string
  readonly created: number
  readonly createdDb: string
  readonly keyRecord: string
}

const { rows }: { rows: readonly RustRow[] } = JSON.parse(
  readFileSync(new URL('rust-rows.json', import.meta.url), 'utf8'),
)
const folder = temporaryFolder()

/** A file as asherah-ffi leaves it: its own DDL, rollback mode. */
function rustFile(name: string): string {
  const path = join(folder, name)
  const database = new DatabaseSync(path)
  database.exec(`CREATE TABLE IF NOT EXISTS encryption_key (
                    id TEXT NOT NULL,
                    created TIMESTAMP NOT NULL,
                    key_record TEXT NOT NULL,
                    PRIMARY KEY (id, created)
                );`)
  const insert = database.prepare('INSERT INTO encryption_key (id, created, key_record) VALUES (?, ?, ?)')
  for (const row of rows) insert.run(row.id, row.createdDb, row.keyRecord)
  database.close()
  return path
}

test("asherah-ffi's rows are read, its configuration guard among them (D-061)", async () => {
  const metastore = createSqliteMetastore({ path: rustFile('read.db') })
  expect(rows.length).toBeGreaterThan(4)
  for (const row of rows) {
    const expected = parseEnvelopeKeyRecord(row.keyRecord, { keyId: row.id, created: row.created })
    expect(await metastore.load(row.id, row.created)).toEqual(expected)
    expect(await metastore.loadLatest(row.id)).toEqual(expected)
    expect(await metastore.store(row.id, row.created, expected)).toBe(false)
  }
  let listed = 0
  for await (const _ of metastore.list()) listed += 1
  expect(listed).toBe(rows.length)
  expect((await metastore.check()).findings.filter(({ level }) => level === 'fail')).toEqual([])
  await metastore.close()
})

test("rows of ours are found by asherah-ffi's statements, in the order that it takes for the latest", async () => {
  const path = rustFile('write.db')
  const metastore = createSqliteMetastore({ path })
  const [model] = rows
  if (model === undefined) return expect.fail('there are no rows')
  const meta = { keyId: model.id, created: model.created }
  const record = { ...parseEnvelopeKeyRecord(model.keyRecord, meta), created: model.created + 90 * 86_400 }
  expect(await metastore.store(record.keyId, record.created, record)).toBe(true)
  const rust = new DatabaseSync(path)
  const load = rust.prepare("SELECT key_record FROM encryption_key WHERE id=? AND created = datetime(?, 'unixepoch')")
  const latest = rust.prepare('SELECT key_record FROM encryption_key WHERE id=? ORDER BY created DESC LIMIT 1')
  const text = model.keyRecord.replace(String(model.created), String(record.created))
  expect(load.get(record.keyId, record.created)).toEqual({ key_record: text })
  expect(latest.get(record.keyId)).toEqual({ key_record: text })
  const insert = rust.prepare(
    "INSERT OR IGNORE INTO encryption_key(id, created, key_record) VALUES (?, datetime(?, 'unixepoch'), ?)",
  )
  expect(insert.run(record.keyId, record.created, '{}').changes).toBe(0)
  rust.close()
  await metastore.close()
})
