import type { EnvelopeKeyRecord } from '@asherah/core/backend'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { expect, test } from 'vitest'

const KEY: EnvelopeKeyRecord = {
  keyId: '_SK_s_p',
  created: 1_795_251_360,
  encryptedKey: new Uint8Array(60).fill(3),
  revoked: false,
}

test('the region suffix is shown to the factory', () => {
  expect(createMemoryMetastore({ regionSuffix: 'us-west-2' }).regionSuffix).toBe('us-west-2')
  expect('regionSuffix' in createMemoryMetastore()).toBe(false)
})

test.each([
  ['a misspelt option', { regionsuffix: 'x' }],
  ['an empty suffix', { regionSuffix: '' }],
  ['a suffix that is not well-formed', { regionSuffix: '\ud800' }],
  ['a suffix that is no text', { regionSuffix: 5 }],
])('%s is an InvalidConfigError', (_, options) => {
  expect(() => Reflect.apply(createMemoryMetastore, undefined, [options])).toThrow(
    expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG' }),
  )
})

test('two metastores share nothing', async () => {
  const [a, b] = [createMemoryMetastore(), createMemoryMetastore()]
  expect(await a.store(KEY.keyId, KEY.created, KEY)).toBe(true)
  expect(await b.loadLatest(KEY.keyId)).toBe(null)
})

test('check says that the rows do not last', async () => {
  const metastore = createMemoryMetastore()
  await metastore.store(KEY.keyId, KEY.created, KEY)
  const report = await metastore.check({ keyId: KEY.keyId })
  expect(report.ok).toBe(true)
  expect(report.findings.map(({ level, check }) => `${level} ${check}`)).toEqual([
    'pass table',
    'warn durability',
    'pass latest',
  ])
})

test('ids and times that are none are refused', async () => {
  const metastore = createMemoryMetastore()
  const refused = { code: 'ERR_ASHERAH_INVALID_INPUT' }
  for (const keyId of ['', '\ud800']) {
    await expect(metastore.load(keyId, 1)).rejects.toMatchObject(refused)
    await expect(metastore.loadLatest(keyId)).rejects.toMatchObject(refused)
    await expect(metastore.store(keyId, KEY.created, { ...KEY, keyId })).rejects.toMatchObject(refused)
  }
  for (const created of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
    await expect(metastore.load(KEY.keyId, created)).rejects.toMatchObject(refused)
    await expect(metastore.store(KEY.keyId, created, { ...KEY, created })).rejects.toMatchObject(refused)
  }
})

test('one id with 20,000 rows, stored in any order, is as quick as few', async () => {
  const metastore = createMemoryMetastore()
  const order = Array.from({ length: 20_000 }, (_, i) => 1 + ((i * 7_919) % 20_000))
  for (const created of order) await metastore.store(KEY.keyId, created, { ...KEY, created })
  for (const notAfter of [1, 2, 9_999, 20_000, 50_000]) {
    expect((await metastore.loadLatest(KEY.keyId, { notAfter }))?.created).toBe(Math.min(notAfter, 20_000))
  }
  expect(await metastore.loadLatest(KEY.keyId, { notAfter: 0 })).toBe(null)
})
