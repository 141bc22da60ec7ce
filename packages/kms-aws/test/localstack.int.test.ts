import { createAwsKms, type KmsRegionEvent, kmsRegionChannel } from '@asherah/kms-aws'
import { describeService, kmsConformance } from '@asherah/testing'
import { type HttpFault, type HttpFaultProxy, startHttpFaultProxy, startLocalStack } from '@asherah/testing/services'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { awsAdmin } from './aws-admin.ts'

const WEST = 'us-west-2'
const EAST = 'us-east-1'
const systemKey = new Uint8Array(32).map((_, i) => 255 - i)
const code = 'ERR_ASHERAH_KMS'

describeService('createAwsKms over LocalStack', await startLocalStack(), (aws) => {
  const admin = awsAdmin(aws)
  const settings = { endpoint: aws.url, credentials: aws.credentials }
  const newMap = async (): Promise<Record<string, string>> => ({
    [WEST]: await admin.createKey(WEST),
    [EAST]: await admin.createKey(EAST),
  })
  const createKms = (regionMap: Readonly<Record<string, string>>, preferredRegion = WEST) =>
    createAwsKms({ regionMap, preferredRegion, ...settings })

  describe('conformance', () => {
    let map: Readonly<Record<string, string>>
    kmsConformance({
      name: 'AWS KMS with two regions',
      create: async () => {
        map = await newMap()
        return createKms(map)
      },
      reopen: () => createKms(map, EAST),
      createOther: async () => createKms(await newMap()),
      dispose: (kms) => kms.close(),
    })
  })

  /** What KMS answered in each region during `call`. */
  async function outcomesOf(call: () => Promise<unknown>): Promise<string[]> {
    const events: KmsRegionEvent[] = []
    const publish = vi.spyOn(kmsRegionChannel, 'publish').mockImplementation((event) => void events.push(event))
    const listened = vi.spyOn(kmsRegionChannel, 'hasSubscribers', 'get').mockReturnValue(true)
    await call()
    publish.mockRestore()
    listened.mockRestore()
    return events.map(({ operation, region, error }) => `${operation} ${region} ${error ?? 'ok'}`)
  }

  test('each region alone opens what both encrypted', async () => {
    const map = await newMap()
    const envelope = await createKms(map).encryptKey(systemKey)
    for (const region of [WEST, EAST]) {
      const alone = createAwsKms({ regionMap: { [region]: map[region] ?? '' }, ...settings })
      expect(await alone.decryptKey(envelope)).toEqual(systemKey)
    }
  })

  test('D-075 a disabled key is refused once, and the other region serves, for reading and for new keys', async () => {
    const map = await newMap()
    const envelope = await createKms(map).encryptKey(systemKey)
    await admin.disableKey(map[WEST] ?? '')
    const kms = createKms(map)
    const outcomes = await outcomesOf(async () => {
      expect(await kms.decryptKey(envelope)).toEqual(systemKey)
      expect(await kms.missingRegions(await kms.encryptKey(systemKey))).toEqual([WEST])
    })
    expect(outcomes).toEqual([
      `Decrypt ${WEST} DisabledException`,
      `Decrypt ${EAST} ok`,
      `GenerateDataKey ${WEST} DisabledException`,
      `GenerateDataKey ${EAST} ok`,
      `Encrypt ${WEST} DisabledException`,
    ])
  })

  test('D-075 another key than the one that encrypted: IncorrectKeyException, then the next region', async () => {
    const map = await newMap()
    const envelope = await createKms(map).encryptKey(systemKey)
    const moved = { ...map, [WEST]: await admin.createKey(WEST) }
    const outcomes = await outcomesOf(async () => {
      expect(await createKms(moved).decryptKey(envelope)).toEqual(systemKey)
    })
    expect(outcomes).toEqual([`Decrypt ${WEST} IncorrectKeyException`, `Decrypt ${EAST} ok`])
  })

  test('a key that is not there in any region: a KmsError with both answers', async () => {
    const gone = '00000000-0000-0000-0000-000000000000'
    const map = {
      [WEST]: `arn:aws:kms:${WEST}:000000000000:key/${gone}`,
      [EAST]: `arn:aws:kms:${EAST}:000000000000:key/${gone}`,
    }
    const outcomes = await outcomesOf(async () => {
      await expect(createKms(map).encryptKey(systemKey)).rejects.toMatchObject({ code, errors: { length: 2 } })
    })
    expect(outcomes).toEqual([`GenerateDataKey ${WEST} NotFoundException`, `GenerateDataKey ${EAST} NotFoundException`])
  })

  test('a multi-region key: where the envelope lacks a region, its replica decrypts', async () => {
    const primary = await admin.createKey(WEST, { MultiRegion: true })
    const replica = await admin.replicateKey(primary, EAST)
    const envelope = await createAwsKms({ keyId: primary, ...settings }).encryptKey(systemKey)
    const outcomes = await outcomesOf(async () => {
      expect(await createAwsKms({ keyId: replica, ...settings }).decryptKey(envelope)).toEqual(systemKey)
    })
    expect(outcomes).toEqual([`Decrypt ${EAST} ok`])
    // Without the relation between the keys there is nothing to try.
    await expect(
      createAwsKms({ keyId: await admin.createKey(EAST), ...settings }).decryptKey(envelope),
    ).rejects.toMatchObject({ code, errors: [] })
  })

  describe('through a proxy that breaks the preferred region', () => {
    let proxy: HttpFaultProxy
    let map: Readonly<Record<string, string>>
    let envelope: Uint8Array
    beforeAll(async () => {
      proxy = await startHttpFaultProxy(aws.url)
      map = await newMap()
      envelope = await createKms(map).encryptKey(systemKey)
    })
    afterAll(() => proxy.close())
    beforeEach(() => {
      proxy.setFault(undefined)
      proxy.forgetRequests()
    })

    const broken = () =>
      createAwsKms({
        regionMap: map,
        preferredRegion: WEST,
        endpoint: proxy.url,
        credentials: aws.credentials,
        regionTimeoutMs: 1_000,
      })
    const inWest = (headers: Readonly<Record<string, unknown>>) => String(headers.authorization).includes(`/${WEST}/`)

    test.each<[string, HttpFault]>([
      ['a reset connection', { kind: 'reset' }],
      ['a lost answer', { kind: 'dropAnswer' }],
      ['no answer', { kind: 'hang' }],
      ['an answer that is late', { kind: 'latency', ms: 2_500 }],
      ['status 500', { kind: 'status', status: 500 }],
      ['status 503', { kind: 'status', status: 503 }],
      ['throttling', { kind: 'awsError', type: 'ThrottlingException' }],
    ])('D-076 %s: tried again there, then the other region', async (_, fault) => {
      proxy.setFault(({ headers }) => (inWest(headers) ? fault : undefined))
      const kms = broken()
      expect(await kms.decryptKey(envelope)).toEqual(systemKey)
      expect(proxy.requests.map(({ headers }) => inWest(headers))).toEqual([true, true, false])
      const made = await kms.encryptKey(systemKey)
      expect(await kms.missingRegions(made)).toEqual([WEST])
      kms.close()
    })

    test('D-075 AccessDeniedException is not tried again in the same region', async () => {
      proxy.setFault(({ headers }) =>
        inWest(headers) ? { kind: 'awsError', type: 'AccessDeniedException' } : undefined,
      )
      const kms = broken()
      expect(await kms.decryptKey(envelope)).toEqual(systemKey)
      expect(proxy.requests.map(({ headers }) => inWest(headers))).toEqual([true, false])
      kms.close()
    })

    test('one lost answer costs one more attempt in the same region, and nothing else', async () => {
      let first = true
      proxy.setFault(() => {
        const fault = first ? ({ kind: 'dropAnswer' } as const) : undefined
        first = false
        return fault
      })
      const kms = broken()
      expect(await kms.missingRegions(await kms.encryptKey(systemKey))).toEqual([])
      kms.close()
    })
  })
})
