import {
  AdhocPersistence,
  AdoMetastoreImpl,
  AppEncryptionException,
  AwsKeyManagementServiceImpl,
  BasicExpiringCryptoPolicy,
  DynamoDbMetastoreImpl,
  InMemoryMetastoreImpl,
  KmsException,
  MetadataMissingException,
  NeverExpiredCryptoPolicy,
  SessionFactory,
  StaticKeyManagementServiceImpl,
} from '@asherah/compat'
import {
  ClosedError,
  SessionFactory as CoreFactory,
  channels,
  InvalidConfigError,
  type KeyManagementService,
} from '@asherah/core'
import { describe, expect, it } from 'vitest'

const KEY = 'seededMasterKeyThatNobodyPrints!'
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const builder = () =>
  SessionFactory.newBuilder('product', 'service')
    .withInMemoryMetastore()
    .withNeverExpiredCryptoPolicy()
    .withStaticKeyManagementService(KEY)

describe('SessionFactory', () => {
  it('D-003 D-010 the four kinds of session round-trip, product first', async () => {
    await using factory = builder().build()
    const value = { name: 'Ada', tags: ['x', null, 1.5] }
    const json = factory.getSessionJson('p')
    const jsonRecord = await json.encrypt(value)
    expect(new TextDecoder().decode(jsonRecord)).toContain('"_IK_p_service_product"')
    expect(await json.decrypt(jsonRecord)).toEqual(value)
    const asJson = factory.getSessionJsonAsJson('p')
    const record = await asJson.encrypt(value)
    expect(Object.keys(record)).toEqual(['Key', 'Data'])
    expect(await asJson.decrypt(record)).toEqual(value)
    const raw = factory.getSessionBytes('p')
    expect(await raw.decrypt(await raw.encrypt(bytes('raw')))).toEqual(bytes('raw'))
    const rawAsJson = factory.getSessionBytesAsJson('p')
    expect(await rawAsJson.decrypt(await rawAsJson.encrypt(bytes('raw')))).toEqual(bytes('raw'))
    expect(await raw.decrypt(bytes(JSON.stringify(await rawAsJson.encrypt(bytes('x')))))).toEqual(bytes('x'))
  })

  it('D-009 stores and loads, with and without a key', async () => {
    await using factory = builder().build()
    const rows = new Map<string, Uint8Array>()
    const persistence = new AdhocPersistence<Uint8Array>(
      async (key) => rows.get(key),
      async (key, value) => void rows.set(key, value),
    )
    const session = factory.getSessionBytes('p')
    const key = await session.store(bytes('one'), persistence)
    expect(key).toMatch(/^[0-9a-f-]{36}$/)
    expect(await session.store('mine', bytes('two'), persistence)).toBe('mine')
    expect(await session.load(key, persistence)).toEqual(bytes('one'))
    expect(await session.load('mine', persistence)).toEqual(bytes('two'))
    expect(await session.load('nobody', persistence)).toBeUndefined()
  })

  it('core reads what it wrote', async () => {
    const metastore = new InMemoryMetastoreImpl()
    const kms = new StaticKeyManagementServiceImpl(KEY)
    await using factory = SessionFactory.newBuilder('product', 'service')
      .withMetastore(metastore)
      .withCryptoPolicy(new NeverExpiredCryptoPolicy())
      .withKeyManagementService(kms)
      .build()
    await using core = new CoreFactory({ service: 'service', product: 'product', metastore, kms })
    const record = await factory.getSessionBytes('p').encrypt(bytes('x'))
    expect(await core.getSession('p').decrypt(record)).toEqual(bytes('x'))
  })

  it('D-131 D-008 logs and times, and stops at close', async () => {
    const lines: string[] = []
    const timers: string[] = []
    const log = (message: string): void => void lines.push(message)
    const factory = builder()
      .withMetrics((name, ms) => ms >= 0 && timers.push(name))
      .withLogger({ info: log, warn: log })
      .build()
    const session = factory.getSessionBytes('p')
    await session.decrypt(await session.encrypt(bytes('x')))
    channels.warning.publish({ code: 'TEST', message: 'Password=hunter2;' })
    expect(lines).toContain('TEST Password=[redacted];')
    expect(lines.some((line) => line.startsWith('key created _SK_service_product'))).toBe(true)
    expect(timers).toEqual(
      expect.arrayContaining([
        'ael.drr.encrypt',
        'ael.drr.decrypt',
        'ael.metastore.memory.store',
        'ael.kms.encryptkey',
      ]),
    )
    await factory.close()
    lines.length = 0
    channels.warning.publish({ code: 'TEST', message: 'nobody' })
    expect(lines).toEqual([])
  })
})

describe('D-050 D-052 exceptions', () => {
  it('a record that is malformed, altered or of another partition: AppEncryptionException', async () => {
    await using factory = builder().build()
    const session = factory.getSessionBytesAsJson('p')
    const record = await session.encrypt(bytes('x'))
    const altered = { ...record, Data: `AAAA${record.Data.slice(4)}` }
    for (const bad of [altered, { ...record, Data: '!' }, Object({})]) {
      await expect(session.decrypt(bad)).rejects.toBeInstanceOf(AppEncryptionException)
    }
    await expect(factory.getSessionBytesAsJson('q').decrypt(record)).rejects.toMatchObject({
      name: 'AppEncryptionException',
      cause: { code: 'ERR_ASHERAH_WRONG_PARTITION' },
    })
  })

  it('a missing key: MetadataMissingException; a KMS that fails: KmsException', async () => {
    await using first = builder().build()
    const record = await first.getSessionBytes('p').encrypt(bytes('x'))
    await using second = builder().build()
    await expect(second.getSessionBytes('p').decrypt(record)).rejects.toBeInstanceOf(MetadataMissingException)
    const failing: KeyManagementService = {
      encryptKey: () => Promise.reject(new Error('down')),
      decryptKey: () => Promise.reject(new Error('down')),
    }
    await using broken = SessionFactory.newBuilder('product', 'service')
      .withInMemoryMetastore()
      .withNeverExpiredCryptoPolicy()
      .withKeyManagementService(failing)
      .build()
    const refused = broken.getSessionBytes('p').encrypt(bytes('x'))
    await expect(refused).rejects.toBeInstanceOf(KmsException)
    await expect(refused).rejects.toBeInstanceOf(AppEncryptionException)
  })

  it('a closed factory and a bad config keep their own classes', async () => {
    const factory = builder().build()
    const session = factory.getSessionBytes('p')
    await factory.close()
    await factory.close()
    await expect(session.encrypt(bytes('x'))).rejects.toBeInstanceOf(ClosedError)
    expect(() => new StaticKeyManagementServiceImpl('short')).toThrow(InvalidConfigError)
    expect(() =>
      SessionFactory.newBuilder('', 'service')
        .withInMemoryMetastore()
        .withNeverExpiredCryptoPolicy()
        .withStaticKeyManagementService(KEY)
        .build(),
    ).toThrow(InvalidConfigError)
  })
})

describe('builders', () => {
  it('a step that JavaScript left out is named', () => {
    const call = (step: object, name: string): unknown => Reflect.apply(Reflect.get(step, name), step, [])
    const first = SessionFactory.newBuilder('product', 'service')
    expect(() => call(first, 'build')).toThrow('withMetastore or withInMemoryMetastore comes before build')
    const second = first.withInMemoryMetastore()
    expect(() => call(second, 'build')).toThrow('withCryptoPolicy or withNeverExpiredCryptoPolicy comes before build')
    expect(() => call(second, 'withStaticKeyManagementService')).toThrow(InvalidConfigError)
    expect(() => call(second, 'withRecoveryRegionSuffixes')).toThrow('comes before withRecoveryRegionSuffixes')
    expect(() => call(second.withNeverExpiredCryptoPolicy(), 'build')).toThrow(
      'withKeyManagementService or withStaticKeyManagementService comes before build',
    )
    const policy = BasicExpiringCryptoPolicy.newBuilder()
    expect(() => call(policy, 'build')).toThrow('withKeyExpirationDays comes before build')
    expect(() => call(policy.withKeyExpirationDays(90), 'build')).toThrow('withRevokeCheckMinutes comes before build')
  })

  it('D-041 every knob of the policy reaches core', () => {
    const { options } = BasicExpiringCryptoPolicy.newBuilder()
      .withKeyExpirationDays(30)
      .withRevokeCheckMinutes(10)
      .withRotationStrategy('QUEUED')
      .withCanCacheSystemKeys(false)
      .withCanCacheIntermediateKeys(false)
      .withCanCacheSessions(true)
      .withSessionCacheMaxSize(5)
      .withSessionCacheExpireMinutes(2)
      .withNotifyExpiredSystemKeyOnRead(true)
      .withNotifyExpiredIntermediateKeyOnRead(false)
      .build()
    expect(options).toEqual({
      expireAfterMs: 30 * 86_400_000,
      revokeCheckIntervalMs: 600_000,
      rotation: 'queued',
      cacheSystemKeys: false,
      cacheIntermediateKeys: false,
      cacheSessions: true,
      sessionCacheMaxSize: 5,
      sessionCacheTtlMs: 120_000,
      notifyExpiredKeyOnRead: true,
    })
    expect(() => BasicExpiringCryptoPolicy.newBuilder().withKeyExpirationDays(-1).withRevokeCheckMinutes(1)).toThrow(
      InvalidConfigError,
    )
    expect(() =>
      BasicExpiringCryptoPolicy.newBuilder()
        .withKeyExpirationDays(1)
        .withRevokeCheckMinutes(1)
        .withSessionCacheMaxSize(0)
        .build(),
    ).toThrow('sessionCacheMaxSize')
  })

  it('D-032 to D-036 D-038 metastores and KMS are made by their packages', async () => {
    const region = 'us-west-2'
    const credentials = { accessKeyId: 'a', secretAccessKey: 'b' }
    const dynamo = await DynamoDbMetastoreImpl.newBuilder('us-east-1')
      .withRegion(region)
      .withTableName('Keys')
      .withKeySuffix()
      .withCredentials(credentials)
      .build()
    expect(dynamo.regionSuffix).toBe(region)
    const arn = `arn:aws:kms:${region}:111122223333:key/0a1b2c3d-0000-1111-2222-333344445555`
    const aws = await AwsKeyManagementServiceImpl.newBuilder({ [region]: arn }, region)
      .withCredentials(credentials)
      .build()
    expect(typeof aws.encryptKey).toBe('function')
    for (const text of ['Server=db.example;Database=d;User ID=u;Password=p;', 'postgres://u:p@db.example/d']) {
      expect(typeof (await AdoMetastoreImpl.newBuilder(text).build()).loadLatest).toBe('function')
    }
    await expect(AdoMetastoreImpl.newBuilder('hunter2').build()).rejects.toThrow('none of the known forms')
    await expect(DynamoDbMetastoreImpl.newBuilder('not a region!').build()).rejects.toBeInstanceOf(InvalidConfigError)
  })
})
