import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { loadVectors } from '@asherah/testing/tools'
import { afterAll, expect, test } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'asherah-vectors-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const plain = {
  format: 'asherah-test-vectors/1',
  set: 'dev',
  implementation: { language: 'rust', package: 'asherah', version: '0.5.56' },
  metastore: 'sqlite',
  kms: { type: 'static', masterKeyUtf8: 'k', masterKeyHex: '6b' },
  productId: 'productA',
  serviceId: 'serviceA',
  regionSuffix: null,
  rows: [{ id: '_SK_serviceA_productA', created: 1_795_251_360, createdDb: '2026-11-21 08:56:00', keyRecord: '{}' }],
  cases: [{ name: 'empty', partitionId: 'p', plaintextBase64: '', drr: '{}' }],
}

let files = 0
function write(value: unknown): string {
  files += 1
  const path = join(folder, `${files}.json`)
  writeFileSync(path, JSON.stringify(value))
  return path
}

test('a file of vectors is read from a path and from a URL, and typed by its format', async () => {
  const path = write(plain)
  const vectors = await loadVectors(path)
  expect(await loadVectors(pathToFileURL(path))).toEqual(vectors)
  if (vectors.format !== 'asherah-test-vectors/1') expect.fail(vectors.format)
  expect(vectors.regionSuffix).toBe(null)
  expect(vectors.cases[0]?.drr).toBe('{}')
})

test('what is not as its format says is refused, with the name of the field', async () => {
  const wrong: readonly (readonly [unknown, string])[] = [
    [{ ...plain, format: 'asherah-test-vectors/2' }, '$.format'],
    [{ ...plain, rows: [{ id: 1, created: 2 }] }, '$.rows[0].id'],
    [{ ...plain, cases: undefined }, '$.cases'],
    [{ ...plain, kms: { type: 'none' } }, '$.kms.type'],
    [{ ...plain, regionSuffix: 4 }, '$.regionSuffix'],
    [null, '$.format'],
  ]
  for (const [value, field] of wrong) {
    const call = loadVectors(write(value))
    await expect(call).rejects.toMatchObject({
      code: 'ERR_ASHERAH_INVALID_INPUT',
      message: expect.stringContaining(field),
    })
  }
})
