import { randomInt } from 'node:crypto'
import type { EnvelopeKeyRecord } from '@asherah/core/backend'
import { type HttpFault, type HttpFaultProxy, startDynalite, startHttpFaultProxy } from '@asherah/testing/services'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTable, type TestTable } from './tables.ts'

const created = 1_795_251_360
const dynalite = await startDynalite()
let table: TestTable
let proxy: HttpFaultProxy

beforeAll(async () => {
  table = await createTable(dynalite.details)
  proxy = await startHttpFaultProxy(dynalite.details.url)
})
beforeEach(() => proxy.forgetRequests())
afterAll(async () => {
  await proxy.close()
  await table.drop()
  await dynalite.stop()
})

function rowOf(keyId: string, filler = 1): EnvelopeKeyRecord {
  return { keyId, created, encryptedKey: new Uint8Array(60).fill(filler), revoked: false }
}

test('D-053 every read is strongly consistent', async () => {
  await using metastore = table.metastore({ endpoint: proxy.url })
  await metastore.load('_SK_a', created)
  await metastore.loadLatest('_SK_a')
  await metastore.loadLatest('_SK_a', { notAfter: created })
  for await (const _ of metastore.list()) expect.unreachable()
  await metastore.check()
  const reads = proxy.requests.filter(({ headers }) => /\.(GetItem|Query|Scan)$/.test(String(headers['x-amz-target'])))
  expect(reads).toHaveLength(5)
  for (const { body } of reads) expect(JSON.parse(body.toString())).toMatchObject({ ConsistentRead: true })
})

test('one request each, where nothing fails', async () => {
  await using metastore = table.metastore({ endpoint: proxy.url })
  const row = rowOf('_SK_one')
  await metastore.store(row.keyId, created, row)
  await metastore.store(row.keyId, created, row)
  await metastore.load(row.keyId, created)
  await metastore.loadLatest(row.keyId)
  await metastore.markRevoked(row.keyId, created)
  const actions = proxy.requests.map(({ headers }) => String(headers['x-amz-target']).split('.')[1])
  expect(actions).toEqual(['PutItem', 'PutItem', 'GetItem', 'Query', 'UpdateItem'])
})

test.each([1e300, Number.MAX_SAFE_INTEGER, created + 0.5, created])('loadLatest not after %d', async (notAfter) => {
  await using metastore = table.metastore()
  const row = rowOf(`_SK_${notAfter}`)
  await metastore.store(row.keyId, created, row)
  expect(await metastore.loadLatest(row.keyId, { notAfter })).toEqual(row)
})

test('loadLatest not after any time', async () => {
  await using metastore = table.metastore()
  await metastore.store('_SK_early', created, rowOf('_SK_early'))
  for (const notAfter of [created - 1, 0, -5]) expect(await metastore.loadLatest('_SK_early', { notAfter })).toBeNull()
  const call = metastore.loadLatest('_SK_early', { notAfter: Number.NaN })
  await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT' })
})

test('a latest row whose time is beyond all numbers is corrupt, not skipped', async () => {
  await using metastore = table.metastore()
  await table.put({ Id: { S: '_SK_beyond' }, Created: { N: '1E20' }, KeyRecord: { M: {} } })
  await expect(metastore.loadLatest('_SK_beyond')).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })
  expect(await metastore.loadLatest('_SK_beyond', { notAfter: created })).toBeNull()
})

test('D-049 D-050 random faults, three racing writers: at most one true each, never two, and what was acknowledged is there', async () => {
  const faults: readonly (HttpFault | undefined)[] = [
    { kind: 'reset' },
    { kind: 'dropAnswer' },
    { kind: 'status', status: 503 },
    { kind: 'awsError', type: 'ThrottlingException' },
    ...Array<undefined>(4).fill(undefined),
  ]
  proxy.setFault(() => faults[randomInt(faults.length)])
  const writers = [1, 2, 3].map(() => table.metastore({ endpoint: proxy.url, maxAttempts: 3 }))
  const outcomes = { won: 0, lost: 0, failed: 0 }
  for (let i = 0; i < 60; i++) {
    const rows = writers.map((_, writer) => rowOf(`_SK_chaos_${i}`, writer + 1))
    const results = await Promise.all(
      rows.map((row, writer) =>
        writers[writer]?.store(row.keyId, created, row).catch((error: unknown) => {
          expect(error).toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
          return 'failed'
        }),
      ),
    )
    const winners = rows.filter((_, writer) => results[writer] === true)
    expect(winners.length, JSON.stringify(results)).toBeLessThanOrEqual(1)
    const stored = await table.metastore().load(`_SK_chaos_${i}`, created)
    if (winners.length === 1) expect(stored).toEqual(winners[0])
    if (results.includes(false)) expect(stored).not.toBeNull()
    for (const result of results) outcomes[result === true ? 'won' : result === false ? 'lost' : 'failed'] += 1
  }
  proxy.setFault(undefined)
  // The faults were there, and did not win.
  expect(outcomes.won).toBeGreaterThan(30)
  expect(outcomes.failed).toBeGreaterThan(0)
})
