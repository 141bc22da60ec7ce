import { channels } from '@asherah/core/backend'
import { type AwsKmsRegionsOptions, createAwsKms, type KmsRegionEvent, kmsRegionChannel } from '@asherah/kms-aws'
import { kmsConformance } from '@asherah/testing'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { classify } from '../src/classify.ts'
import { awsError, createFakeKms, type FakeKms } from './fake-kms.ts'

const REGIONS = ['us-west-2', 'us-east-1', 'eu-west-1']
const systemKey = new Uint8Array(32).map((_, i) => i)
const code = 'ERR_ASHERAH_KMS'

let fake: FakeKms
let regionMap: Record<string, string>

beforeEach(() => {
  fake = createFakeKms()
  regionMap = fake.regionMap(...REGIONS)
})

function createKms(options: Partial<AwsKmsRegionsOptions> = {}) {
  return createAwsKms({ regionMap, preferredRegion: 'us-west-2', clients: fake.clients(...REGIONS), ...options })
}

const failIn = (...regions: readonly string[]) => {
  fake.fault = ({ region }) => (regions.includes(region) ? awsError('KMSInternalException', 500) : undefined)
}
const regionsOf = (envelope: Uint8Array) => parsed(envelope).kmsKeks.map((kek) => kek.region)

function parsed(envelope: Uint8Array): {
  encryptedKey: string
  kmsKeks: { region: string; arn: string; encryptedKek: string }[]
} {
  return JSON.parse(Buffer.from(envelope).toString())
}

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
    const { encryptedKey, kmsKeks, ...rest } = parsed(await createKms().encryptKey(systemKey))
    expect(rest).toEqual({})
    expect(Buffer.from(encryptedKey, 'base64')).toHaveLength(60)
    expect(kmsKeks.map(({ region, arn, ...kek }) => [region, arn, Object.keys(kek)])).toEqual(
      REGIONS.map((region) => [region, regionMap[region], ['encryptedKek']]),
    )
  })

  test('one data key is generated in the preferred region and encrypted in every other', async () => {
    await createKms({ preferredRegion: 'eu-west-1' }).encryptKey(systemKey)
    expect(fake.log()).toEqual(['GenerateDataKey eu-west-1', 'Encrypt us-west-2', 'Encrypt us-east-1'])
    expect(fake.calls.map((call) => call.keyId)).toEqual(fake.calls.map(({ region }) => regionMap[region]))
  })

  test('any one region decrypts, with its own KeyId', async () => {
    const envelope = await createKms().encryptKey(systemKey)
    for (const region of REGIONS) {
      fake.calls.length = 0
      const own = { [region]: regionMap[region] ?? '' }
      const kms = createAwsKms({ regionMap: own, clients: fake.clients(region) })
      expect(await kms.decryptKey(envelope)).toEqual(systemKey)
      expect(fake.calls).toEqual([{ operation: 'Decrypt', region, keyId: regionMap[region] }])
    }
  })

  test('every data key is wiped: what KMS gave, what it was given, and what came too late', async () => {
    const kms = createKms({ regionTimeoutMs: 50 })
    const envelope = await kms.encryptKey(systemKey)
    await kms.decryptKey(envelope)
    fake.fault = ({ region }) => (region === 'us-west-2' ? 'late' : undefined)
    await kms.encryptKey(systemKey)
    await kms.decryptKey(envelope)
    await vi.waitFor(() => expect(fake.plaintexts).toHaveLength(3 + 1 + 4 + 2))
    await vi.waitFor(() => expect(fake.plaintexts.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true))
  })
})

describe('failover', () => {
  test('D-071 the preferred region is down when a key is made: the next one generates the data key', async () => {
    failIn('us-west-2')
    const envelope = await createKms().encryptKey(systemKey)
    expect(fake.log()).toEqual([
      'GenerateDataKey us-west-2',
      'GenerateDataKey us-east-1',
      'Encrypt us-west-2',
      'Encrypt eu-west-1',
    ])
    expect(regionsOf(envelope)).toEqual(['us-east-1', 'eu-west-1'])
    expect(await createKms().decryptKey(envelope)).toEqual(systemKey)
  })

  test.each(REGIONS)('a key can be made with only %s up, and is readable once the others are back', async (only) => {
    failIn(...REGIONS.filter((region) => region !== only))
    const envelope = await createKms().encryptKey(systemKey)
    expect(regionsOf(envelope)).toEqual([only])
    failIn()
    expect(await createKms().decryptKey(envelope)).toEqual(systemKey)
    expect(await createKms().missingRegions(envelope)).toEqual(REGIONS.filter((region) => region !== only))
  })

  test('D-072 a secondary region is down: by default it is left out, with a warning', async () => {
    failIn('eu-west-1')
    const publish = vi.spyOn(channels.warning, 'publish')
    const envelope = await createKms().encryptKey(systemKey)
    expect(regionsOf(envelope)).toEqual(['us-west-2', 'us-east-1'])
    expect(publish).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ code: 'KMS_REGION_LEFT_OUT', message: expect.stringContaining('eu-west-1') }),
    )
    publish.mockRestore()
  })

  test.each([
    ['all' as const, 1, false],
    [{ minimum: 2 }, 1, true],
    [{ minimum: 2 }, 2, false],
    [{ minimum: 3 }, 1, false],
    ['best-effort' as const, 2, true],
  ])('D-072 with %j and %i of 3 regions down, a key is made: %s', async (onPartialFailure, down, made) => {
    failIn(...REGIONS.slice(-down))
    const result = createKms({ onPartialFailure }).encryptKey(systemKey)
    if (made) expect(regionsOf(await result)).toHaveLength(3 - down)
    else await expect(result).rejects.toMatchObject({ code, errors: { length: down } })
  })

  test('every region down: a KmsError holds the failure of each', async () => {
    const envelope = await createKms().encryptKey(systemKey)
    failIn(...REGIONS)
    for (const call of [createKms().encryptKey(systemKey), createKms().decryptKey(envelope)]) {
      const error: unknown = await call.catch((reason: unknown) => reason)
      expect(error).toMatchObject({
        code,
        errors: REGIONS.map((region) => ({ code, message: expect.stringContaining(region) })),
      })
      const reasons = REGIONS.map((region) => `${region}: \\w+ failed \\(KMSInternalException\\)`)
      expect(error).toHaveProperty('message', expect.stringMatching(new RegExp(`: ${reasons.join('; ')}$`)))
    }
  })

  test('a region that is not reached is told by the code of Node', async () => {
    const refused = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
    fake.fault = () => refused
    await expect(createKms().encryptKey(systemKey)).rejects.toMatchObject({
      message: expect.stringContaining('us-west-2: GenerateDataKey failed (ECONNREFUSED)'),
    })
  })

  test.each([
    ['AccessDeniedException', 400],
    ['DisabledException', 400],
    ['InvalidCiphertextException', 400],
    ['IncorrectKeyException', 400],
    ['KMSInvalidStateException', 400],
    ['ThrottlingException', 400],
    ['KMSInternalException', 500],
  ])('D-075 %s in the preferred region: asked once, then the next region', async (name, status) => {
    const envelope = await createKms().encryptKey(systemKey)
    fake.calls.length = 0
    fake.fault = ({ region }) => (region === 'us-west-2' ? awsError(name, status) : undefined)
    expect(await createKms().decryptKey(envelope)).toEqual(systemKey)
    expect(fake.log()).toEqual(['Decrypt us-west-2', 'Decrypt us-east-1'])
  })

  test('a region that keeps failing is asked last, until it has rested; one that refuses keeps its place', async () => {
    const envelope = await createKms().encryptKey(systemKey)
    const kms = createKms({ breaker: { failures: 2, cooldownMs: 100 } })
    const firstAsked = async () => {
      fake.calls.length = 0
      await kms.decryptKey(envelope)
      return fake.calls[0]?.region
    }
    fake.fault = ({ region }) => (region === 'us-west-2' ? awsError('AccessDeniedException') : undefined)
    expect([await firstAsked(), await firstAsked(), await firstAsked()]).toEqual(Array(3).fill('us-west-2'))
    failIn('us-west-2')
    expect([await firstAsked(), await firstAsked(), await firstAsked()]).toEqual([
      'us-west-2',
      'us-west-2',
      'us-east-1',
    ])
    // Asked last, but asked: it may be the only one that is up.
    failIn('us-east-1', 'eu-west-1')
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    failIn('us-west-2')
    await firstAsked()
    await firstAsked()
    failIn()
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(await firstAsked()).toBe('us-west-2')
  })
})

describe('slow regions', () => {
  test('D-076 a region that hangs is given up, and the next one serves; others are not held up', async () => {
    const envelope = await createKms().encryptKey(systemKey)
    fake.fault = ({ region }) => (region === 'us-west-2' ? 'hang' : undefined)
    const kms = createKms({ regionTimeoutMs: 100 })
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    expect(regionsOf(await kms.encryptKey(systemKey))).toEqual(['us-east-1', 'eu-west-1'])
  })

  test('D-076 every region hangs: the call rejects at the deadline', async () => {
    fake.fault = () => 'hang'
    const kms = createKms({ regionTimeoutMs: 60_000, timeoutMs: 100 })
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({ code, message: 'AWS KMS: no answer in 100 ms' })
  })

  test('D-076 a client that never says its region: the call rejects at the deadline, or with its signal', async () => {
    const client = { ...fake.client('us-west-2'), config: { region: () => new Promise<never>(() => {}) } }
    const kms = createAwsKms({ keyId: 'alias/key', client, timeoutMs: 50 })
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({ code, message: 'AWS KMS: no answer in 50 ms' })
    const patient = createAwsKms({ keyId: 'alias/key', client })
    const signal = AbortSignal.timeout(10)
    await expect(patient.encryptKey(systemKey, { signal })).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED' })
  })

  test('regions encrypt at once: a slow one does not hold up the start of the others', async () => {
    let encrypting = 0
    let most = 0
    const clients = fake.clients(...REGIONS)
    for (const region of ['us-east-1', 'eu-west-1']) {
      const { send } = fake.client(region)
      const counted: typeof send = async (...args: unknown[]) => {
        most = Math.max(most, ++encrypting)
        await new Promise((resolve) => setTimeout(resolve, 20))
        encrypting -= 1
        return Reflect.apply(send, undefined, args)
      }
      clients[region] = { send: counted }
    }
    expect(regionsOf(await createKms({ clients }).encryptKey(systemKey))).toEqual(REGIONS)
    expect(most).toBe(2)
  })

  test("an abort rejects at once with the signal's reason, and no other region is asked", async () => {
    fake.fault = () => 'hang'
    const controller = new AbortController()
    const call = createKms().encryptKey(systemKey, { signal: controller.signal })
    await vi.waitFor(() => expect(fake.calls).toHaveLength(1))
    const reason = new Error('gone')
    controller.abort(reason)
    await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: reason })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(fake.calls).toHaveLength(1)
  })
})

describe('events', () => {
  let events: KmsRegionEvent[]
  beforeEach(() => {
    events = []
    vi.spyOn(kmsRegionChannel, 'publish').mockImplementation((event) => void events.push(event))
    vi.spyOn(kmsRegionChannel, 'hasSubscribers', 'get').mockReturnValue(true)
  })
  afterEach(() => vi.restoreAllMocks())

  test('each call in each region is published with its outcome, and without key bytes', async () => {
    fake.fault = ({ region }) =>
      region === 'us-west-2' ? awsError('DisabledException') : region === 'us-east-1' ? 'hang' : undefined
    await createKms({ regionTimeoutMs: 50 }).encryptKey(systemKey)
    expect(events.map(({ durationMs: _, ...event }) => event)).toEqual([
      { operation: 'GenerateDataKey', region: 'us-west-2', outcome: 'terminal', error: 'DisabledException' },
      { operation: 'GenerateDataKey', region: 'us-east-1', outcome: 'timeout' },
      { operation: 'GenerateDataKey', region: 'eu-west-1', outcome: 'ok' },
      { operation: 'Encrypt', region: 'us-west-2', outcome: 'terminal', error: 'DisabledException' },
      { operation: 'Encrypt', region: 'us-east-1', outcome: 'timeout' },
    ])
    expect(events.every(({ durationMs }) => durationMs >= 0)).toBe(true)
  })
})

test.each<[string, number | undefined, KmsRegionEvent['outcome']]>([
  ['AccessDeniedException', 400, 'terminal'],
  ['DisabledException', 400, 'terminal'],
  ['KMSInvalidStateException', 400, 'terminal'],
  ['KMSInvalidStateException', 409, 'terminal'],
  ['IncorrectKeyException', 400, 'terminal'],
  ['InvalidCiphertextException', 400, 'terminal'],
  ['InvalidKeyUsageException', 400, 'terminal'],
  ['InvalidGrantTokenException', 400, 'terminal'],
  ['NotFoundException', 400, 'terminal'],
  ['ExpiredTokenException', 400, 'terminal'],
  ['UnrecognizedClientException', 400, 'terminal'],
  ['InvalidSignatureException', 400, 'terminal'],
  ['CredentialsProviderError', undefined, 'terminal'],
  ['KeyUnavailableException', 500, 'transient'],
  ['KMSInternalException', 500, 'transient'],
  ['DependencyTimeoutException', 503, 'transient'],
  ['ThrottlingException', 400, 'transient'],
  ['LimitExceededException', 400, 'transient'],
  ['RequestLimitExceeded', 400, 'transient'],
  ['RequestTimeout', 400, 'transient'],
  ['RequestTimeoutException', 408, 'transient'],
  ['anything', 408, 'transient'],
  ['anything', 429, 'transient'],
  ['TimeoutError', undefined, 'transient'],
])('D-075 %s, status %s, is %s', (name, status, outcome) => {
  expect(classify(awsError(name, status ?? 0))).toBe(outcome)
})

describe('which key', () => {
  test('D-084 a single key: its region is its ARN’s, whatever AWS_REGION says', async () => {
    const keyId = fake.createKey('eu-west-1')
    vi.stubEnv('AWS_REGION', 'us-east-1')
    const kms = createAwsKms({ keyId, client: fake.client('eu-west-1') })
    const envelope = await kms.encryptKey(systemKey)
    expect(parsed(envelope).kmsKeks).toMatchObject([{ region: 'eu-west-1', arn: keyId }])
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    vi.unstubAllEnvs()
  })

  test('D-084 a single key without an ARN: its region is the option’s, else the client’s', async () => {
    const arn = fake.createKey('eu-west-1')
    const client = fake.client('eu-west-1')
    const send: typeof client.send = (command: { input: { KeyId?: string | undefined } }, ...rest: unknown[]) => {
      command.input.KeyId = arn
      return Reflect.apply(client.send, client, [command, ...rest])
    }
    const byOption = createAwsKms({ keyId: 'alias/key', region: 'eu-west-1', client: { send } })
    const byClient = createAwsKms({ keyId: 'alias/key', client: { send, config: { region: async () => 'eu-west-1' } } })
    for (const kms of [byOption, byClient]) {
      expect(parsed(await kms.encryptKey(systemKey)).kmsKeks).toMatchObject([{ region: 'eu-west-1', arn }])
    }
    await expect(createAwsKms({ keyId: 'alias/key', client: { send } }).encryptKey(systemKey)).rejects.toMatchObject({
      code: 'ERR_ASHERAH_INVALID_CONFIG',
      message: expect.stringContaining('nothing says in which region'),
    })
  })

  test('a former key of a region still decrypts what it encrypted, and no other does', async () => {
    const envelope = await createKms().encryptKey(systemKey)
    const former = regionMap['us-west-2'] ?? ''
    const next = { 'us-west-2': fake.createKey('us-west-2') }
    const clients = fake.clients('us-west-2')
    await expect(createAwsKms({ regionMap: next, clients }).decryptKey(envelope)).rejects.toMatchObject({ code })
    const kms = createAwsKms({ regionMap: next, clients, formerKeys: { 'us-west-2': [former] } })
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    expect(parsed(await kms.encryptKey(systemKey)).kmsKeks).toMatchObject([{ arn: next['us-west-2'] }])
  })

  test.each<[string, (envelope: string) => string]>([
    ['no ARN', (envelope) => envelope.replaceAll(/"arn":"[^"]*",/g, '')],
    ['the ARN of an alias', (envelope) => envelope.replaceAll(/:key\/[^"]*"/g, ':alias/key"')],
  ])('a former key opens an entry that has %s', async (_, altered) => {
    const envelope = Buffer.from(altered(Buffer.from(await createKms().encryptKey(systemKey)).toString()))
    const kms = createAwsKms({
      regionMap: { 'us-west-2': fake.createKey('us-west-2') },
      clients: fake.clients('us-west-2'),
      formerKeys: { 'us-west-2': [fake.createKey('us-west-2'), regionMap['us-west-2'] ?? ''] },
    })
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    fake.calls.length = 0
    fake.fault = () => awsError('AccessDeniedException')
    await expect(kms.decryptKey(envelope)).rejects.toMatchObject({ code, errors: { length: 1 } })
    expect(fake.log()).toEqual(['Decrypt us-west-2'])
  })

  test('missingRegions: an entry under a key that the region no longer has does not count', async () => {
    const envelope = await createKms().encryptKey(systemKey)
    const regionsOfNext = { ...regionMap, 'us-east-1': fake.createKey('us-east-1') }
    expect(await createKms().missingRegions(envelope)).toEqual([])
    expect(await createKms({ regionMap: regionsOfNext }).missingRegions(envelope)).toEqual(['us-east-1'])
    const formerKeys = { 'us-east-1': [regionMap['us-east-1'] ?? ''] }
    expect(await createKms({ regionMap: regionsOfNext, formerKeys }).missingRegions(envelope)).toEqual([])
    const bareIds = { ...regionMap, 'us-east-1': regionsOfNext['us-east-1'].split('/')[1] ?? '' }
    expect(await createKms({ regionMap: bareIds }).missingRegions(envelope)).toEqual(['us-east-1'])
    // What is behind an alias, or where an entry has no ARN, nobody can tell without KMS.
    expect(await createKms({ regionMap: { ...regionMap, 'us-east-1': 'alias/key' } }).missingRegions(envelope)).toEqual(
      [],
    )
    const withoutArns = Buffer.from(
      Buffer.from(envelope)
        .toString()
        .replaceAll(/"arn":"[^"]*",/g, ''),
    )
    expect(await createKms({ regionMap: regionsOfNext }).missingRegions(withoutArns)).toEqual([])
  })

  test('a multi-region key given by its bare id is known as one', async () => {
    const primary = fake.createKey('us-west-2', 'mrk-1234')
    const replica = fake.createKey('eu-west-1', 'mrk-1234')
    const envelope = await createAwsKms({ keyId: primary, client: fake.client('us-west-2') }).encryptKey(systemKey)
    const client = fake.client('eu-west-1')
    const send: typeof client.send = (command: { input: { KeyId?: string | undefined } }, ...rest: unknown[]) => {
      command.input.KeyId = replica
      return Reflect.apply(client.send, client, [command, ...rest])
    }
    const kms = createAwsKms({ regionMap: { 'eu-west-1': 'mrk-1234' }, clients: { 'eu-west-1': { send } } })
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
  })

  test('an envelope without this region opens by a replica of the multi-region key that made another KEK', async () => {
    const map = {
      'us-west-2': fake.createKey('us-west-2', 'mrk-1234'),
      'eu-west-1': fake.createKey('eu-west-1', 'mrk-1234'),
    }
    const alone = { regionMap: { 'us-west-2': map['us-west-2'] }, clients: fake.clients('us-west-2') }
    const envelope = await createAwsKms(alone).encryptKey(systemKey)
    const kms = createAwsKms({
      regionMap: map,
      preferredRegion: 'eu-west-1',
      clients: fake.clients(...Object.keys(map)),
    })
    fake.calls.length = 0
    fake.fault = ({ region }) => (region === 'us-west-2' ? awsError('KMSInternalException', 500) : undefined)
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    expect(fake.log()).toEqual(['Decrypt us-west-2', 'Decrypt eu-west-1'])
  })
})

test('close: later calls throw ClosedError; what was given is not destroyed', async () => {
  const kms = createKms()
  const envelope = await kms.encryptKey(systemKey)
  kms.close()
  kms[Symbol.dispose]()
  expect(kms.closed).toBe(true)
  await expect(kms.decryptKey(envelope)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  await expect(kms.missingRegions(envelope)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  expect(await createKms().decryptKey(envelope)).toEqual(systemKey)
})
