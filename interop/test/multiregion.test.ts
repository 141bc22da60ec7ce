import { SessionFactory } from '@asherah/core'
import { createInsecureTestKms } from '@asherah/kms-static'
import type { VectorCase } from '@asherah/testing/tools'
import { describe, expect, test } from 'vitest'
import { memoryMetastoreOf } from '../src/metastores.ts'
import { vectorsOf } from '../src/vectors.ts'

const vectors = await vectorsOf('go-multiregion.json', 'asherah-test-vectors-multiregion/1')
const regions = ['us-west-2', 'us-east-1']

/**
 * Which suffixes a case's record is under, and which product: `foreign` records are another product's and never open.
 * A case without a line fails.
 */
const expected: Readonly<Record<string, { readonly suffix: string | null; readonly foreign: boolean }>> = {
  'region-a': { suffix: 'us-west-2', foreign: false },
  'region-b': { suffix: 'us-east-1', foreign: false },
  'no-suffix': { suffix: null, foreign: false },
  // Go and Java open these two from a suffixed session: their test of the id is a prefix test (D-001).
  'product-with-longer-name-region-a': { suffix: 'us-west-2', foreign: true },
  'product-with-longer-name-no-suffix': { suffix: null, foreign: true },
}

test('every case has an expected outcome, and every expected outcome has its case', () => {
  expect(vectors.cases.map(({ name }) => name).sort()).toEqual(Object.keys(expected).sort())
})

test('every case was read from both regions and from none', () => {
  for (const { name, outcomes } of vectors.cases) {
    expect(
      outcomes.map((o) => [o.sessionProductId, o.sessionRegionSuffix]),
      name,
    ).toEqual([
      ['productA', 'us-west-2'],
      ['productA', 'us-east-1'],
      ['productA', null],
    ])
  }
})

describe.each(vectors.cases.map((c) => [c.name, c] as const))('D-001 %s', (name, vector) => {
  const { suffix, foreign } = expected[name] ?? { suffix: null, foreign: true }

  test.each([...regions, null])('from %s, the other regions listed', async (own) => {
    const others = regions.filter((region) => region !== own)
    const outcome = await read(vector, own, others)
    expect(outcome).toBe(foreign ? 'ERR_ASHERAH_WRONG_PARTITION' : vector.plaintextBase64)
  })

  test.each([...regions, null])('from %s, no other region listed', async (own) => {
    const outcome = await read(vector, own, undefined)
    const readable = !foreign && (suffix === null || suffix === own)
    expect(outcome).toBe(readable ? vector.plaintextBase64 : 'ERR_ASHERAH_WRONG_PARTITION')
  })
})

async function read(
  vector: VectorCase,
  own: string | null,
  recoveryRegionSuffixes: readonly string[] | undefined,
): Promise<unknown> {
  await using factory = new SessionFactory({
    service: vectors.serviceId,
    product: vectors.productId,
    metastore: await memoryMetastoreOf(vectors.rows, own),
    kms: createInsecureTestKms(),
    ...(recoveryRegionSuffixes !== undefined && { recoveryRegionSuffixes }),
  })
  using session = factory.getSession(vector.partitionId)
  try {
    return Buffer.from(await session.decrypt(vector.drr)).toString('base64')
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error
  }
}
