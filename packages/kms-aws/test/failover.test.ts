import { channels } from '@asherah/core/backend'
import { createAwsKms } from '@asherah/kms-aws'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { awsError } from './fake-kms.ts'
import { code, createThreeRegions, REGIONS, regionsOf, systemKey, type ThreeRegions } from './three-regions.ts'

let fake: ThreeRegions
beforeEach(() => {
  fake = createThreeRegions()
})

describe('failover', () => {
  test('D-071 the preferred region is down when a key is made: the next one generates the data key', async () => {
    fake.failIn('us-west-2')
    const envelope = await fake.createKms().encryptKey(systemKey)
    expect(fake.log()).toEqual([
      'GenerateDataKey us-west-2',
      'GenerateDataKey us-east-1',
      'Encrypt us-west-2',
      'Encrypt eu-west-1',
    ])
    expect(regionsOf(envelope)).toEqual(['us-east-1', 'eu-west-1'])
    expect(await fake.createKms().decryptKey(envelope)).toEqual(systemKey)
  })

  test.each(REGIONS)('a key can be made with only %s up, and is readable once the others are back', async (only) => {
    fake.failIn(...REGIONS.filter((region) => region !== only))
    const envelope = await fake.createKms().encryptKey(systemKey)
    expect(regionsOf(envelope)).toEqual([only])
    fake.failIn()
    expect(await fake.createKms().decryptKey(envelope)).toEqual(systemKey)
    expect(await fake.createKms().missingRegions(envelope)).toEqual(REGIONS.filter((region) => region !== only))
  })

  test('D-072 a secondary region is down: by default it is left out, with a warning', async () => {
    fake.failIn('eu-west-1')
    const publish = vi.spyOn(channels.warning, 'publish')
    const envelope = await fake.createKms().encryptKey(systemKey)
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
    fake.failIn(...REGIONS.slice(-down))
    const result = fake.createKms({ onPartialFailure }).encryptKey(systemKey)
    if (made) expect(regionsOf(await result)).toHaveLength(3 - down)
    else await expect(result).rejects.toMatchObject({ code, errors: { length: down } })
  })

  test('every region down: a KmsError holds the failure of each', async () => {
    const envelope = await fake.createKms().encryptKey(systemKey)
    fake.failIn(...REGIONS)
    for (const call of [fake.createKms().encryptKey(systemKey), fake.createKms().decryptKey(envelope)]) {
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
    await expect(fake.createKms().encryptKey(systemKey)).rejects.toMatchObject({
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
    const envelope = await fake.createKms().encryptKey(systemKey)
    fake.calls.length = 0
    fake.fault = ({ region }) => (region === 'us-west-2' ? awsError(name, status) : undefined)
    expect(await fake.createKms().decryptKey(envelope)).toEqual(systemKey)
    expect(fake.log()).toEqual(['Decrypt us-west-2', 'Decrypt us-east-1'])
  })

  test('a region that keeps failing is asked last, until it has rested; one that refuses keeps its place', async () => {
    const envelope = await fake.createKms().encryptKey(systemKey)
    const kms = fake.createKms({ breaker: { failures: 2, cooldownMs: 100 } })
    const firstAsked = async () => {
      fake.calls.length = 0
      await kms.decryptKey(envelope)
      return fake.calls[0]?.region
    }
    fake.fault = ({ region }) => (region === 'us-west-2' ? awsError('AccessDeniedException') : undefined)
    expect([await firstAsked(), await firstAsked(), await firstAsked()]).toEqual(Array(3).fill('us-west-2'))
    fake.failIn('us-west-2')
    expect([await firstAsked(), await firstAsked(), await firstAsked()]).toEqual([
      'us-west-2',
      'us-west-2',
      'us-east-1',
    ])
    // Asked last, but asked: it may be the only one that is up.
    fake.failIn('us-east-1', 'eu-west-1')
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    fake.failIn('us-west-2')
    await firstAsked()
    await firstAsked()
    fake.failIn()
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(await firstAsked()).toBe('us-west-2')
  })
})

describe('slow regions', () => {
  test('D-076 a region that hangs is given up, and the next one serves; others are not held up', async () => {
    const envelope = await fake.createKms().encryptKey(systemKey)
    fake.fault = ({ region }) => (region === 'us-west-2' ? 'hang' : undefined)
    const kms = fake.createKms({ regionTimeoutMs: 100 })
    expect(await kms.decryptKey(envelope)).toEqual(systemKey)
    expect(regionsOf(await kms.encryptKey(systemKey))).toEqual(['us-east-1', 'eu-west-1'])
  })

  test('D-076 every region hangs: the call rejects at the deadline', async () => {
    fake.fault = () => 'hang'
    const kms = fake.createKms({ regionTimeoutMs: 60_000, timeoutMs: 100 })
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
    expect(regionsOf(await fake.createKms({ clients }).encryptKey(systemKey))).toEqual(REGIONS)
    expect(most).toBe(2)
  })

  test("an abort rejects at once with the signal's reason, and no other region is asked", async () => {
    fake.fault = () => 'hang'
    const controller = new AbortController()
    const call = fake.createKms().encryptKey(systemKey, { signal: controller.signal })
    await vi.waitFor(() => expect(fake.calls).toHaveLength(1))
    const reason = new Error('gone')
    controller.abort(reason)
    await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: reason })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(fake.calls).toHaveLength(1)
  })
})
