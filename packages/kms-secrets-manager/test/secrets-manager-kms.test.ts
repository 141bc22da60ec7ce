import { randomBytes } from 'node:crypto'
import {
  channels,
  createHeapSecrets,
  openAes256Gcm,
  type Secret,
  type SecretFactory,
  sealAes256Gcm,
} from '@asherah/core/backend'
import { createSecretsManagerKms, type SecretsManagerKmsOptions } from '@asherah/kms-secrets-manager'
import { kmsConformance } from '@asherah/testing'
import { SEEDED_ACCOUNT, SEEDED_MASTER_KEY_HEX } from '@asherah/testing/tools'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createFakeSecret, type FakeSecret, type Value } from './fake-secret.ts'

const systemKey = new Uint8Array(32).map((_, i) => i)
const code = 'ERR_ASHERAH_KMS'
const ARN = 'arn:aws:secretsmanager:us-west-2:111122223333:secret:asherah-AbCdEf'
const newValue = (): Value => ({ SecretBinary: randomBytes(32) })
const HEX = `${SEEDED_MASTER_KEY_HEX.slice(0, -2)}FF`

let fake: FakeSecret
beforeEach(() => {
  fake = createFakeSecret(newValue())
})
afterEach(() => vi.restoreAllMocks())

const createKms = (options: Partial<SecretsManagerKmsOptions> = {}) =>
  createSecretsManagerKms({ secretId: 'name', client: fake.client, ...options })

describe('conformance', () => {
  const secret = createFakeSecret({ SecretString: HEX })
  const create = () => createSecretsManagerKms({ secretId: 'name', client: secret.client })
  kmsConformance({
    name: 'Secrets Manager',
    create,
    reopen: create,
    createOther: () => createSecretsManagerKms({ secretId: 'other', client: createFakeSecret(newValue()).client }),
    dispose: (kms) => kms.close(),
  })
})

test('a wrapped key is 60 bytes of AES-256-GCM under the master key, as asherah-ffi and the static KMS have it', async () => {
  fake = createFakeSecret({ SecretString: HEX })
  const wrapped = await createKms().encryptKey(systemKey)
  expect(wrapped).toHaveLength(60)
  expect(openAes256Gcm(wrapped, Buffer.from(HEX, 'hex'))).toEqual(systemKey)
})

describe('D-081 the forms of the secret', () => {
  test.each<[string, Value]>([
    ['32 bytes', { SecretBinary: Buffer.from(HEX, 'hex') }],
    ['64 hex digits, in either case', { SecretString: HEX }],
    ['64 hex digits and a newline', { SecretString: `${HEX}\n` }],
    ['64 hex digits and CR LF', { SecretString: `${HEX}\r\n` }],
  ])('%s', async (_, value) => {
    fake = createFakeSecret(value)
    const wrapped = sealAes256Gcm(systemKey, Buffer.from(HEX, 'hex'))
    expect(await createKms().decryptKey(wrapped)).toEqual(systemKey)
  })

  test.each<[string, Value]>([
    ['31 bytes', { SecretBinary: randomBytes(31) }],
    ['33 bytes', { SecretBinary: randomBytes(33) }],
    ['no bytes', { SecretBinary: new Uint8Array() }],
    ['D-080 63 digits', { SecretString: HEX.slice(1) }],
    ['D-080 a sign', { SecretString: `+${HEX.slice(1)}` }],
    ['D-080 a prefix', { SecretString: `0x${HEX}` }],
    ['D-080 text that is not ASCII', { SecretString: `aéa${HEX.slice(3)}` }],
    ['D-080 white space before', { SecretString: ` ${HEX}` }],
    ['D-080 white space inside', { SecretString: `${HEX.slice(0, 32)} ${HEX.slice(32)}` }],
    ['an empty text', { SecretString: '' }],
    ['JSON', { SecretString: JSON.stringify({ key: HEX }) }],
    ['the public test key', { SecretBinary: Buffer.from('thisIsAStaticMasterKeyForTesting') }],
    ['one byte repeated', { SecretString: 'ab'.repeat(32) }],
  ])('refused, and not shown: %s', async (_, value) => {
    fake = createFakeSecret(value)
    const error: unknown = await createKms()
      .encryptKey(systemKey)
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'ERR_ASHERAH_INVALID_CONFIG', message: expect.stringMatching(/secret/i) })
    expect(String(error).toLowerCase()).not.toContain(HEX.slice(8, 40).toLowerCase())
  })

  test('what Secrets Manager gave is wiped, and the master key is in a Secret', async () => {
    const secrets = createHeapSecrets()
    const fromBytes = vi.spyOn(secrets, 'fromBytes')
    const kms = createKms({ secrets })
    await kms.encryptKey(systemKey)
    expect(fake.handedOut.map((bytes) => bytes.every((byte) => byte === 0))).toEqual([true])
    expect(fromBytes).toHaveBeenCalledTimes(1)
    const kept = fromBytes.mock.results[0]?.value
    kms.close()
    expect(kept?.closed).toBe(true)
    expect(() => secrets.createRandom(1)).not.toThrow()
  })
})

describe('D-081 rotation of the secret', () => {
  test('the current version is read once for refreshMs, by all callers at once', async () => {
    const kms = createKms({ refreshMs: 60_000 })
    const wrapped = await Promise.all(Array.from({ length: 50 }, () => kms.encryptKey(systemKey)))
    await Promise.all(wrapped.map((key) => kms.decryptKey(key)))
    expect(fake.calls).toEqual(['get AWSCURRENT'])
  })

  test('after refreshMs the new version encrypts, and keys of the old one still open', async () => {
    const kms = createKms({ refreshMs: 1 })
    const old = await kms.encryptKey(systemKey)
    fake.rotate({ SecretString: HEX })
    await new Promise((resolve) => setTimeout(resolve, 5))
    const wrapped = await kms.encryptKey(systemKey)
    expect(openAes256Gcm(wrapped, Buffer.from(HEX, 'hex'))).toEqual(systemKey)
    expect(await kms.decryptKey(old)).toEqual(systemKey)
    expect(fake.calls).not.toContain('list')
  })

  test('a new process finds the former version that opens a key; the next time it is at hand', async () => {
    const old = await createKms().encryptKey(systemKey)
    for (let i = 0; i < 4; i++) fake.rotate(newValue())
    fake.calls.length = 0
    const kms = createKms()
    expect(await kms.decryptKey(old)).toEqual(systemKey)
    expect(fake.calls.filter((call) => call === 'list')).toHaveLength(3)
    expect(fake.calls.slice(-4)).toEqual(['get v3', 'get v2', 'get v1', 'get v0'])
    const calls = fake.calls.length
    expect(await kms.decryptKey(old)).toEqual(systemKey)
    expect(fake.calls).toHaveLength(calls)
  })

  test('a process that has the old version finds a key of the new one at once, for all callers, with one search', async () => {
    const kms = createKms()
    await kms.encryptKey(systemKey)
    fake.rotate(newValue())
    const wrapped = await createKms().encryptKey(systemKey)
    fake.calls.length = 0
    const keys = await Promise.all(Array.from({ length: 20 }, () => kms.decryptKey(wrapped)))
    expect(keys).toEqual(Array(20).fill(systemKey))
    expect(fake.calls).toEqual(['get AWSCURRENT', 'list'])
  })

  test('a key that nothing opens is searched for once in a while, not at each call', async () => {
    const kms = createKms()
    const foreign = sealAes256Gcm(systemKey, randomBytes(32))
    for (let i = 0; i < 5; i++) await expect(kms.decryptKey(foreign)).rejects.toMatchObject({ code })
    expect(fake.calls).toEqual(['get AWSCURRENT', 'get AWSCURRENT', 'list'])
  })

  test('maxFormerVersions bounds the search; a version that is no key does not end it', async () => {
    const old = await createKms().encryptKey(systemKey)
    fake.rotate({ SecretString: 'a mistake' })
    fake.rotate(newValue())
    const publish = vi.spyOn(channels.warning, 'publish')
    await expect(createKms({ maxFormerVersions: 1 }).decryptKey(old)).rejects.toMatchObject({ code })
    expect(await createKms({ maxFormerVersions: 2 }).decryptKey(old)).toEqual(systemKey)
    expect(publish.mock.calls.map(([event]) => event.code)).toContain('MASTER_KEY_VERSION_UNUSABLE')
  })

  test('versionStage: another stage than AWSCURRENT', async () => {
    await createKms({ versionStage: 'MINE' }).encryptKey(systemKey)
    expect(fake.calls).toEqual(['get MINE'])
  })
})

describe('failures', () => {
  test('the first read fails: a KmsError with the cause; the next call tries again', async () => {
    const kms = createKms()
    const cause = Object.assign(new Error('no'), { name: 'AccessDeniedException' })
    fake.fault = () => cause
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({
      code,
      cause,
      message: expect.stringContaining('AccessDeniedException'),
    })
    fake.fault = () => undefined
    await kms.encryptKey(systemKey)
  })

  test('a refresh fails: the version at hand is used, with a warning', async () => {
    const kms = createKms({ refreshMs: 1 })
    await kms.encryptKey(systemKey)
    await new Promise((resolve) => setTimeout(resolve, 5))
    fake.fault = () => new Error('down')
    const publish = vi.spyOn(channels.warning, 'publish')
    await kms.encryptKey(systemKey)
    expect(publish.mock.calls.map(([event]) => event.code)).toEqual(['MASTER_KEY_REFRESH_FAILED'])
  })

  test('listing is not allowed: what the refresh found still serves, and else the error says so', async () => {
    const kms = createKms()
    const old = await kms.encryptKey(systemKey)
    fake.rotate(newValue())
    const wrapped = await createKms().encryptKey(systemKey)
    fake.fault = (call) => (call === 'list' ? new Error('AccessDenied') : undefined)
    expect(await kms.decryptKey(wrapped)).toEqual(systemKey)
    await expect(createKms().decryptKey(old)).rejects.toMatchObject({
      code,
      message: 'not every version of the secret can be read',
    })
  })

  test('D-076 no answer: the call rejects at the deadline; an abort rejects at once, and only that caller', async () => {
    fake.fault = () => 'hang'
    const kms = createKms({ timeoutMs: 100 })
    const controller = new AbortController()
    const aborted = kms.encryptKey(systemKey, { signal: controller.signal })
    const other = kms.encryptKey(systemKey)
    controller.abort('gone')
    await expect(aborted).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: 'gone' })
    await expect(other).rejects.toMatchObject({ code, message: expect.stringContaining('no answer in 100 ms') })
  })

  test('a search that failed is not taken for one that found nothing, while it is not repeated', async () => {
    const old = await createKms().encryptKey(systemKey)
    fake.rotate(newValue())
    const kms = createKms()
    fake.fault = (call) => (call === 'list' ? new Error('down') : undefined)
    for (let i = 0; i < 3; i++) {
      await expect(kms.decryptKey(old)).rejects.toMatchObject({
        code,
        message: 'not every version of the secret can be read',
      })
    }
    expect(fake.calls.filter((call) => call === 'list')).toHaveLength(1)
  })

  test.each(['ResourceNotFoundException', 'AccessDeniedException', 'DecryptionFailure', 'InvalidRequestException'])(
    'a former version that Secrets Manager refuses to give (%s) hides no older one',
    async (name) => {
      const old = await createKms().encryptKey(systemKey)
      fake.rotate(newValue())
      fake.rotate(newValue())
      fake.fault = (call) => (call === 'get v1' ? Object.assign(new Error('no'), { name }) : undefined)
      expect(await createKms().decryptKey(old)).toEqual(systemKey)
      fake.calls.length = 0
      const foreign = createKms().decryptKey(sealAes256Gcm(systemKey, randomBytes(32)))
      await expect(foreign).rejects.toMatchObject({ code, message: 'not every version of the secret can be read' })
      expect(fake.calls.slice(-2)).toEqual(['get v1', 'get v0'])
    },
  )

  test('a current version that is no key hides no former one from a process that runs', async () => {
    const old = await createKms().encryptKey(systemKey)
    fake.rotate(newValue())
    const kms = createKms()
    await kms.encryptKey(systemKey)
    fake.rotate({ SecretString: 'a mistake' })
    expect(await kms.decryptKey(old)).toEqual(systemKey)
  })

  test('a search ends at the first version that is not answered', async () => {
    const old = await createKms().encryptKey(systemKey)
    for (let i = 0; i < 3; i++) fake.rotate(newValue())
    fake.calls.length = 0
    fake.fault = (call) => (call === 'get v2' ? 'hang' : undefined)
    await expect(createKms({ timeoutMs: 50 }).decryptKey(old)).rejects.toMatchObject({ code })
    expect(fake.calls.at(-1)).toBe('get v2')
  })

  test('D-100 an answer after the deadline is wiped', async () => {
    const kms = createKms({ timeoutMs: 30 })
    fake.fault = () => 'late'
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({ code })
    await vi.waitFor(() => expect(fake.handedOut).toHaveLength(1))
    await vi.waitFor(() => expect(fake.handedOut[0]?.every((byte) => byte === 0)).toBe(true))
  })

  test('D-100 a key that is opened after its caller has gone is wiped', async () => {
    const opened: unknown[] = []
    const heap = createHeapSecrets()
    const secrets: SecretFactory = {
      ...heap,
      fromBytes(bytes) {
        const secret = heap.fromBytes(bytes)
        const withBytes: Secret['withBytes'] = (action) => {
          const result = secret.withBytes(action)
          opened.push(result)
          return result
        }
        return new Proxy(secret, { get: (_, name) => (name === 'withBytes' ? withBytes : Reflect.get(secret, name)) })
      },
    }
    const wrapped = await createKms().encryptKey(systemKey)
    let answer = (): void => {}
    const answered = new Promise<void>((resolve) => (answer = resolve))
    fake.fault = () => answered
    const controller = new AbortController()
    const call = createKms({ secrets }).decryptKey(wrapped, { signal: controller.signal })
    controller.abort('gone')
    await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: 'gone' })
    answer()
    await vi.waitFor(() => expect(opened).toEqual([new Uint8Array(32)]))
  })

  test('close ends a read that is not answered: no timer, and no caller, is left waiting', async () => {
    fake.fault = () => 'hang'
    const kms = createKms({ timeoutMs: 600_000 })
    const call = kms.encryptKey(systemKey)
    await vi.waitFor(() => expect(fake.calls).toHaveLength(1))
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    kms.close()
    await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
    expect(timers()).toBeLessThan(before)
  })

  test('closed: ClosedError, also while a read is under way', async () => {
    const kms = createKms()
    const call = kms.encryptKey(systemKey)
    kms.close()
    kms[Symbol.dispose]()
    await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
    expect(kms.closed).toBe(true)
  })
})

test.each<[string, object, string]>([
  ['no secret', {}, 'secretId must be text'],
  ['an unknown option', { secretId: 'x', regoin: 'eu-west-1' }, 'did you mean region?'],
  ['an ARN of something else', { secretId: 'arn:aws:s3:::x' }, 'not the ARN of a secret'],
  [
    'D-084 an ARN and another region',
    { secretId: 'arn:aws:secretsmanager:us-west-2:111122223333:secret:x', region: 'eu-west-1' },
    'in us-west-2, not in eu-west-1',
  ],
  [
    'a region that the client does not hear of',
    { secretId: 'x', client: { send() {} }, region: 'eu-west-1' },
    'no effect',
  ],
  ['a client that is none', { secretId: 'x', client: {} }, 'client must be'],
  ['secrets that are none', { secretId: 'x', secrets: {} }, 'secrets must be'],
  ['an endpoint that is no URL', { secretId: 'x', endpoint: 'here' }, 'endpoint must be a URL'],
  ['refreshMs of 0', { secretId: 'x', refreshMs: 0 }, 'refreshMs must be'],
  ['too many versions', { secretId: 'x', maxFormerVersions: 101 }, 'from 0 to 100'],
])('refused: %s', (_, options, message) => {
  expect(() => Reflect.apply(createSecretsManagerKms, undefined, [options])).toThrow(
    expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG', message: expect.stringContaining(message) }),
  )
})

describe('a message says what to look at', () => {
  test('a secret that is not there: its id and region', async () => {
    fake.fault = () => Object.assign(new Error('hidden'), { name: 'ResourceNotFoundException' })
    const ways: readonly [SecretsManagerKmsOptions, string][] = [
      [{ secretId: 'name', client: { ...fake.client, config: { region: async () => 'eu-west-1' } } }, ' in eu-west-1)'],
      [{ secretId: 'name', client: fake.client }, '"name")'],
      [{ secretId: ARN, client: fake.client }, `"${ARN.replace(SEEDED_ACCOUNT, '[redacted]')}" in us-west-2)`],
    ]
    for (const [options, end] of ways) {
      const error: unknown = await createSecretsManagerKms(options)
        .encryptKey(systemKey)
        .catch((reason: unknown) => reason)
      expect(String(error)).toContain('(ResourceNotFoundException: no such secret or version, "')
      expect(String(error).endsWith(end)).toBe(true)
      expect(String(error)).not.toContain('hidden')
    }
  })

  test('a server that is not reached: the code of Node', async () => {
    fake.fault = () => Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })
    await expect(createKms().encryptKey(systemKey)).rejects.toMatchObject({
      message: 'the master key cannot be read from Secrets Manager (ECONNREFUSED)',
    })
  })
})
