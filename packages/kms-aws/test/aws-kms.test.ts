import { createAwsKms } from '@asherah/kms-aws'
import { kmsConformance } from '@asherah/testing'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { createFakeKms } from './fake-kms.ts'
import { createThreeRegions, parsed, REGIONS, systemKey, type ThreeRegions } from './three-regions.ts'

let fake: ThreeRegions
beforeEach(() => {
  fake = createThreeRegions()
})

describe('conformance', () => {
  const other = createFakeKms()
  const shared = createFakeKms()
  const map = shared.regionMap(...REGIONS)
  const create = () =>
    createAwsKms({ regionMap: map, preferredRegion: 'us-east-1', clients: shared.clients(...REGIONS) })
  kmsConformance({
    name: 'AWS KMS with three regions',
    create,
    reopen: create,
    createOther: () => createAwsKms({ regionMap: other.regionMap('us-west-2'), clients: other.clients('us-west-2') }),
    dispose: (kms) => kms.close(),
  })
})

describe('the envelope', () => {
  test('has the fields of wire-format.md, and a KEK for each region under its key', async () => {
    const { encryptedKey, kmsKeks, ...rest } = parsed(await fake.createKms().encryptKey(systemKey))
    expect(rest).toEqual({})
    expect(Buffer.from(encryptedKey, 'base64')).toHaveLength(60)
    expect(kmsKeks.map(({ region, arn, ...kek }) => [region, arn, Object.keys(kek)])).toEqual(
      REGIONS.map((region) => [region, fake.arns[region], ['encryptedKek']]),
    )
  })

  test('one data key is generated in the preferred region and encrypted in every other', async () => {
    await fake.createKms({ preferredRegion: 'eu-west-1' }).encryptKey(systemKey)
    expect(fake.log()).toEqual(['GenerateDataKey eu-west-1', 'Encrypt us-west-2', 'Encrypt us-east-1'])
    expect(fake.calls.map((call) => call.keyId)).toEqual(fake.calls.map(({ region }) => fake.arns[region]))
  })

  test('any one region decrypts, with its own KeyId', async () => {
    const envelope = await fake.createKms().encryptKey(systemKey)
    for (const region of REGIONS) {
      fake.calls.length = 0
      const own = { [region]: fake.arns[region] ?? '' }
      const kms = createAwsKms({ regionMap: own, clients: fake.clients(region) })
      expect(await kms.decryptKey(envelope)).toEqual(systemKey)
      expect(fake.calls).toEqual([{ operation: 'Decrypt', region, keyId: fake.arns[region] }])
    }
  })

  test('every data key is wiped: what KMS gave, what it was given, and what came too late', async () => {
    const kms = fake.createKms({ regionTimeoutMs: 50 })
    const envelope = await kms.encryptKey(systemKey)
    await kms.decryptKey(envelope)
    fake.fault = ({ region }) => (region === 'us-west-2' ? 'late' : undefined)
    await kms.encryptKey(systemKey)
    await kms.decryptKey(envelope)
    await vi.waitFor(() => expect(fake.plaintexts).toHaveLength(3 + 1 + 4 + 2))
    await vi.waitFor(() => expect(fake.plaintexts.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true))
  })
})

test('close: later calls throw ClosedError; what was given is not destroyed', async () => {
  const kms = fake.createKms()
  const envelope = await kms.encryptKey(systemKey)
  kms.close()
  kms[Symbol.dispose]()
  expect(kms.closed).toBe(true)
  await expect(kms.decryptKey(envelope)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  await expect(kms.missingRegions(envelope)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  expect(await fake.createKms().decryptKey(envelope)).toEqual(systemKey)
})
