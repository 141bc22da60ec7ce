import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { expect, test } from 'vitest'
import { CREATED, systemKey } from './records.ts'
import { temporaryFolder } from './temporary-folder.ts'

const folder = temporaryFolder()
const path = join(folder, 'keys.db')

function refusal(options: object): unknown {
  try {
    Reflect.apply(createSqliteMetastore, undefined, [options])
  } catch (error) {
    return error
  }
  return expect.fail('the options were accepted')
}

test.each([
  ['a misspelt option (D-043)', { path, tablename: 'keys' }, 'tableName'],
  ['no path', {}, 'path'],
  ['an empty path, which SQLite takes for a temporary database', { path: '' }, 'path'],
  ['an in-memory database (D-069)', { path: ':memory:' }, '@asherah/metastore-memory'],
  ['the text of a URL', { path: `file:${path}` }, 'URL object'],
  ['the text of a URL that SQLite would take for memory (D-069)', { path: 'file:keys?mode=memory' }, 'URL object'],
  ['a URL of another kind', { path: new URL('https://example.com/keys.db') }, 'file:'],
  ['a path with NUL', { path: `${path}\0x` }, 'path'],
  ['a folder that is missing', { path: join(folder, 'missing', 'keys.db') }, join(folder, 'missing')],
  ['a folder', { path: folder }, 'is a folder'],
  ['a wait that is no number', { path, busyTimeoutMs: Number.NaN }, 'busyTimeoutMs'],
  ['a negative wait', { path, busyTimeoutMs: -1 }, 'busyTimeoutMs'],
  ['a wait without end', { path, busyTimeoutMs: Number.POSITIVE_INFINITY }, 'busyTimeoutMs'],
  ['an empty table name', { path, tableName: '' }, 'tableName'],
  ["a table name of SQLite's own", { path, tableName: 'sqlite_keys' }, 'tableName'],
  ['a flag that is text', { path, readOnly: 'false' }, 'readOnly'],
  ['an empty suffix', { path, regionSuffix: '' }, 'regionSuffix'],
])('%s is an InvalidConfigError that says what is allowed', (_, options, hint) => {
  expect(refusal(options)).toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG', message: expect.stringContaining(hint) })
})

test('the path may be a file: URL, and is not followed by a change of folder', async () => {
  const percent = join(folder, '100% ?key#.db')
  const metastore = createSqliteMetastore({ path: pathToFileURL(percent) })
  expect(await metastore.store('_SK_service_product', CREATED, systemKey())).toBe(true)
  await metastore.close()
  const again = createSqliteMetastore({ path: percent, readOnly: true })
  expect(await again.load('_SK_service_product', CREATED)).toEqual(systemKey())
  await again.close()
})

test('the table name is quoted, whatever it is (D-068)', async () => {
  const tableName = `keys"; DROP TABLE "encryption_key"; -- é`
  const metastore = createSqliteMetastore({ path, tableName })
  const other = createSqliteMetastore({ path })
  await other.store('_SK_other', CREATED, systemKey('_SK_other'))
  expect(await metastore.store('_SK_service_product', CREATED, systemKey())).toBe(true)
  expect(await metastore.loadLatest('_SK_service_product')).toEqual(systemKey())
  expect((await metastore.check()).ok).toBe(true)
  expect(await other.loadLatest('_SK_service_product')).toBe(null)
  expect(await other.loadLatest('_SK_other')).toEqual(systemKey('_SK_other'))
  await Promise.all([metastore.close(), other.close()])
})

test('the region suffix is shown to the factory', async () => {
  mkdirSync(join(folder, 'suffix'))
  expect(createSqliteMetastore({ path: join(folder, 'suffix', 'k.db'), regionSuffix: 'us-west-2' }).regionSuffix).toBe(
    'us-west-2',
  )
  expect('regionSuffix' in createSqliteMetastore({ path })).toBe(false)
})
