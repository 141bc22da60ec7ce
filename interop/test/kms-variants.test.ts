import { SessionFactory } from '@asherah/core'
import { describe, expect, test } from 'vitest'
import { createEnvelopeKms } from '../src/envelope-kms.ts'
import { memoryMetastoreOf } from '../src/metastores.ts'
import { vectorsOf } from '../src/vectors.ts'

type Outcome = 'accept' | 'ERR_ASHERAH_KMS'

/** Our outcome of each AWS KMS envelope. A variant without a line fails. */
const expected: Readonly<Record<string, Outcome>> = {
  baseline: 'accept',
  'reader-has-only-second-region': 'accept',
  'reader-prefers-second-region': 'accept',
  'reader-has-no-matching-region': 'ERR_ASHERAH_KMS',
  'reversed-keks': 'accept',
  'unknown-fields': 'accept',
  'preferred-kek-tampered': 'accept',
  'second-kek-tampered': 'accept',
  'all-keks-tampered': 'ERR_ASHERAH_KMS',
  // Java stops at the first region's failed tag. Going on is no leniency: the key opens only if the next region's data
  // key verifies the very same ciphertext.
  'preferred-kek-valid-but-other-data-key': 'accept',
  'encryptedKey-tampered': 'ERR_ASHERAH_KMS',
  // The reader sends the ARN of its own region map, so the envelope's `arn` decides nothing, and may be missing.
  'arn-wrong': 'accept',
  'arn-missing': 'accept',
  'empty-keks': 'ERR_ASHERAH_KMS',
  'missing-keks': 'ERR_ASHERAH_KMS',
  'missing-encryptedKey': 'ERR_ASHERAH_KMS',
  'capitalised-names': 'ERR_ASHERAH_KMS',
  'not-json': 'ERR_ASHERAH_KMS',
}

const vectors = await vectorsOf('kms-variants.json', 'asherah-test-vectors-kms-variants/1')

test('every variant has an expected outcome, and every expected outcome has its variant', () => {
  expect(vectors.variants.map(({ name }) => name).sort()).toEqual(Object.keys(expected).sort())
})

test('beyond what every peer accepts, we accept only the two that are explained above', () => {
  const looser = vectors.variants.filter(
    ({ name, outcomes }) => expected[name] === 'accept' && Object.values(outcomes).some(({ ok }) => !ok),
  )
  expect(looser.map(({ name }) => name)).toEqual(['preferred-kek-valid-but-other-data-key', 'arn-missing'])
})

describe('AWS KMS envelopes, read by createAwsKms', () => {
  test.each(vectors.variants.map((variant) => [variant.name, variant] as const))('%s', async (name, variant) => {
    if (vectors.kms.type !== 'aws') throw new Error('kms-variants.json is not for AWS KMS')
    await using factory = new SessionFactory({
      service: vectors.serviceId,
      product: vectors.productId,
      metastore: await memoryMetastoreOf(variant.rows),
      kms: createEnvelopeKms({
        kms: vectors.kms,
        regionMap: variant.readerRegionArnMap,
        preferredRegion: variant.readerPreferredRegion,
      }),
    })
    using session = factory.getSession(vectors.partitionId)
    const outcome = session.decrypt(vectors.drr)
    if (expected[name] === 'accept') {
      expect(Buffer.from(await outcome).toString('base64')).toBe(vectors.plaintextBase64)
    } else {
      await expect(outcome).rejects.toMatchObject({ code: expected[name] })
    }
  })
})
