import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { MetastoreReport } from '@asherah/core/backend'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { expect, test } from 'vitest'
import { CREATED, systemKey } from './records.ts'
import { temporaryFolder } from './temporary-folder.ts'

const folder = temporaryFolder()

let files = 0
async function checked(statements: string, keyId?: string): Promise<MetastoreReport> {
  files += 1
  const path = join(folder, `${files}.db`)
  const database = new DatabaseSync(path)
  database.exec(statements)
  const before = database.prepare('SELECT name, sql FROM sqlite_schema').all()
  const metastore = createSqliteMetastore({ path })
  const report = await metastore.check(keyId === undefined ? {} : { keyId })
  await metastore.close()
  expect(database.prepare('SELECT name, sql FROM sqlite_schema').all()).toEqual(before)
  database.close()
  return report
}

/** `level check` of each finding that does not pass. */
function complaints(report: MetastoreReport): string[] {
  return report.findings.filter(({ level }) => level !== 'pass').map(({ level, check }) => `${level} ${check}`)
}

const TABLE =
  'CREATE TABLE encryption_key (id TEXT NOT NULL, created TIMESTAMP NOT NULL, key_record TEXT NOT NULL, PRIMARY KEY (id, created));'
const WAL = 'PRAGMA journal_mode = WAL;'
const body = (created: number): string =>
  JSON.stringify({ Created: created, Key: Buffer.from(systemKey().encryptedKey).toString('base64') })
const insert = (id: string, created: string, text: string): string =>
  `INSERT INTO encryption_key (id, created, key_record) VALUES ('${id}', ${created}, '${text}');`

test.each([
  ['a sound table', WAL + TABLE, []],
  ['a file in rollback mode', TABLE, ['warn journal']],
  ['a file without the table', `${WAL} CREATE TABLE other (x);`, ['warn table']],
  ['UTF-16', `PRAGMA encoding = 'UTF-16'; ${WAL} ${TABLE}`, ['fail encoding']],
  [
    'a missing column',
    `${WAL} CREATE TABLE encryption_key (id TEXT, created TIMESTAMP, PRIMARY KEY (id, created));`,
    ['fail columns'],
  ],
  [
    'columns of other types',
    WAL + TABLE.replace('id TEXT', 'id INTEGER').replace('TIMESTAMP', 'BLOB'),
    ['warn columns', 'warn columns'],
  ],
  [
    'a column that no insert gives',
    WAL + TABLE.replace('key_record', 'owner TEXT NOT NULL, key_record'),
    ['fail columns'],
  ],
  ['a column with a default', WAL + TABLE.replace('key_record', "owner TEXT NOT NULL DEFAULT 'x', key_record"), []],
  ['no unique key', WAL + TABLE.replace(', PRIMARY KEY (id, created)', ''), ['fail unique', 'warn index']],
  ['a key on the id alone', WAL + TABLE.replace('PRIMARY KEY (id, created)', 'PRIMARY KEY (id)'), ['fail unique']],
  [
    'a unique index in place of the key',
    `${WAL}${TABLE.replace(', PRIMARY KEY (id, created)', '')} CREATE UNIQUE INDEX k ON encryption_key (id, created);`,
    [],
  ],
  [
    'a partial unique index',
    `${WAL}${TABLE.replace(', PRIMARY KEY (id, created)', '')} CREATE UNIQUE INDEX k ON encryption_key (id, created) WHERE id > 'x';`,
    ['fail unique', 'warn index'],
  ],
  [
    'ids without regard to case (D-005)',
    WAL + TABLE.replace('id TEXT NOT NULL', 'id TEXT NOT NULL COLLATE NOCASE'),
    ['fail unique'],
  ],
  ['a key in the other order', WAL + TABLE.replace('(id, created)', '(created, id)'), ['warn index']],
  ['a body that is no JSON', WAL + TABLE + insert('_SK_a', "'2026-11-21 08:56:00'", 'x'), ['fail json']],
  ['a body of another second', WAL + TABLE + insert('_SK_a', "'2026-11-21 08:56:01'", body(CREATED)), ['fail json']],
  [
    "a writer's local time in the column (D-048)",
    WAL + TABLE + insert('_SK_a', "'2026-11-21 03:56:00'", body(CREATED)),
    ['fail json'],
  ],
  ['an epoch number', WAL + TABLE + insert('_SK_a', String(CREATED), body(CREATED)), ['warn created']],
  ['ISO text', WAL + TABLE + insert('_SK_a', "'2026-11-21T08:56:00Z'", body(CREATED)), ['warn created']],
  ['no time', WAL + TABLE + insert('_SK_a', "'soon'", body(CREATED)), ['fail created']],
])('check of %s', async (_, statements, expected) => {
  const report = await checked(statements)
  expect(complaints(report)).toEqual(expected)
  expect(report.ok).toBe(!expected.some((complaint) => complaint.startsWith('fail')))
})

test('check names up to 100 bad rows, and the latest row of an id', async () => {
  const bad = Array.from({ length: 120 }, (_, i) => insert(`_SK_bad${i}`, "'2026-11-21 08:56:00'", '{}')).join('')
  const report = await checked(
    WAL + TABLE + bad + insert('_SK_good', "'2026-11-21 08:56:00'", body(CREATED)),
    '_SK_good',
  )
  expect(complaints(report)).toEqual(Array.from({ length: 100 }, () => 'fail json'))
  expect(report.findings.find(({ check }) => check === 'json')?.message).toContain('"_SK_bad0"')
  expect(report.findings.at(-1)).toMatchObject({
    level: 'pass',
    check: 'latest',
    message: expect.stringContaining(String(CREATED)),
  })
})

test('check of an id that is not there, and of one whose latest row is bad', async () => {
  expect(complaints(await checked(WAL + TABLE, '_SK_none'))).toEqual(['warn latest'])
  const statements = WAL + TABLE + insert('_SK_bad', "'2026-11-21 08:56:00'", 'x')
  expect(complaints(await checked(statements, '_SK_bad'))).toEqual(['fail json', 'fail latest'])
})
