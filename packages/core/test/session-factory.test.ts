import { describe, expect, it } from 'vitest'
import {
  InvalidConfigError,
  InvalidInputError,
  lruCache,
  SessionFactory,
  type SessionFactoryOptions,
  simpleCache,
} from '../src/index.ts'
import {
  bytesOf,
  createFakeClock,
  createFakeKms,
  createFakeMetastore,
  createSpyCrypto,
  createSpySecrets,
  createWorld,
  DAY,
  parentOf,
} from './fakes.ts'
import { callAny, factoryOfAny, minimalOptions, nameOf, rejectionOf, thrownBy } from './harness.ts'

const plaintext = bytesOf('4111 1111 1111 1111')

/** Methods that a part of a factory must have. */
const parts: [string, object, string[]][] = [
  ['metastore', createFakeMetastore(), ['load', 'loadLatest', 'store']],
  ['kms', createFakeKms(), ['encryptKey', 'decryptKey']],
  ['secrets', createSpySecrets(), ['fromBytes', 'createRandom', 'close']],
  ['clock', createFakeClock(), ['now', 'monotonicMs']],
  [
    'crypto',
    createSpyCrypto(),
    ['generateKey', 'importKey', 'exportKey', 'wrapKey', 'unwrapKey', 'encryptRow', 'decryptRow', 'close'],
  ],
]
const flags = ['strictIds', 'selfHealRecoveredKeys', 'uniformErrors', 'randomPool']
const notObjects = [null, 7, 'text', true, 1n, Symbol('x'), () => {}]

describe('options', () => {
  it('takes the four that it needs', async () => {
    const factory = new SessionFactory(minimalOptions())
    const session = factory.getSession('p')
    expect(await session.decrypt(await session.encrypt(plaintext))).toEqual(plaintext)
    await factory.close()
  })

  it.each([undefined, ...notObjects, []].map((value) => [nameOf(value), value]))('%s is no options', (_what, value) => {
    expect(thrownBy(() => factoryOfAny(value))).toBeInstanceOf(InvalidConfigError)
  })

  it.each(['service', 'product', 'metastore', 'kms'])('%s is needed, and undefined is absent', (name) => {
    const without: Record<string, unknown> = { ...minimalOptions() }
    delete without[name]
    for (const given of [without, { ...without, [name]: undefined }]) {
      const error = thrownBy(() => factoryOfAny(given))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain(name)
    }
  })

  it.each(['service', 'product'])('%s is non-empty, well-formed text', (name) => {
    for (const value of ['', null, 7, {}, ['s'], Object('s'), '\ud800']) {
      const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), [name]: value }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain(name)
    }
  })

  it.each(parts)('%s has every method of its contract, or is refused by name', (name, part, methods) => {
    const optional = name === 'metastore' || name === 'kms' ? [] : [undefined]
    for (const value of optional) expect(() => factoryOfAny({ ...minimalOptions(), [name]: value })).not.toThrow()
    for (const value of [...notObjects, {}, []]) {
      const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), [name]: value }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain(`option ${name}`)
    }
    for (const method of methods) {
      for (const value of [undefined, null, 'text']) {
        const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), [name]: { ...part, [method]: value } }))
        expect(error).toBeInstanceOf(InvalidConfigError)
        expect(error.message).toContain(`${method}()`)
      }
    }
    expect(() => factoryOfAny({ ...minimalOptions(), [name]: part })).not.toThrow()
    // A class keeps its methods on the prototype.
    expect(() => factoryOfAny({ ...minimalOptions(), [name]: Object.create(part) })).not.toThrow()
  })

  it.each(flags)('%s is true, false or absent', (name) => {
    const base = { ...minimalOptions(), recoveryRegionSuffixes: [] }
    for (const value of [true, false, undefined]) expect(() => factoryOfAny({ ...base, [name]: value })).not.toThrow()
    for (const value of [null, 0, 1, 'true', {}, []]) {
      const error = thrownBy(() => factoryOfAny({ ...base, [name]: value }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain(name)
    }
  })

  it('maxPlaintextBytes is a whole number in range', () => {
    for (const value of [0, 1, 64 * 1024 * 1024, 2 ** 28, undefined]) {
      expect(() => factoryOfAny({ ...minimalOptions(), maxPlaintextBytes: value })).not.toThrow()
    }
    const bad = [
      -1,
      0.5,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 28 + 1,
      2 ** 53,
      2 ** 53 + 2,
      '100',
      null,
      true,
      1n,
    ]
    for (const value of bad) {
      const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), maxPlaintextBytes: value }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toMatch(/maxPlaintextBytes.* 0 to 268435456/)
    }
  })

  it('policy is an object of options', () => {
    for (const value of [...notObjects, [], [1]]) {
      const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), policy: value }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain('policy')
    }
    expect(() => factoryOfAny({ ...minimalOptions(), policy: undefined })).not.toThrow()
  })

  it('recoveryRegionSuffixes is a list of suffixes', () => {
    for (const value of ['r1', null, {}, [''], [null], ['r1', 7], new Set(['r1'])]) {
      const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), recoveryRegionSuffixes: value }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain('recoveryRegionSuffixes')
    }
  })

  it("the metastore's suffix is text", () => {
    for (const value of ['', null, 7]) {
      const metastore = { ...createFakeMetastore(), regionSuffix: value }
      const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), metastore }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain('regionSuffix')
    }
  })

  it("the metastore's maxKeyId is a unit and a length", () => {
    const bad = [
      null,
      255,
      {},
      { unit: 'bytes' },
      { length: 255 },
      { unit: 'characters', length: 255 },
      { unit: 'toString', length: 255 },
    ]
    const lengths = [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '255'].map((length) => ({
      unit: 'bytes',
      length,
    }))
    for (const maxKeyId of [...bad, ...lengths]) {
      const metastore = { ...createFakeMetastore(), maxKeyId }
      const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), metastore }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain('maxKeyId')
    }
    for (const unit of ['bytes', 'codePoints', 'utf16'] as const) {
      const metastore = createFakeMetastore({ maxKeyId: { unit, length: 255 } })
      expect(() => new SessionFactory({ ...minimalOptions(), metastore })).not.toThrow()
    }
  })

  it.each([
    ['selfHealRecoveredKeys needs recoveryRegionSuffixes', { selfHealRecoveredKeys: true }, 'recoveryRegionSuffixes'],
    ['secrets has no effect with crypto', { crypto: createSpyCrypto(), secrets: createSpySecrets() }, 'secrets'],
    ['randomPool has no effect with crypto', { crypto: createSpyCrypto(), randomPool: true }, 'randomPool'],
  ])('%s', (_what, options, named) => {
    const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), ...options }))
    expect(error).toBeInstanceOf(InvalidConfigError)
    expect(error.message).toContain(named)
  })

  it.each([
    ['Service', 'service'],
    ['prodct', 'product'],
    ['metaStore', 'metastore'],
    ['KMS', 'kms'],
    ['polcy', 'policy'],
    ['Policy', 'policy'],
    ['strictIDs', 'strictIds'],
    ['recoveryRegionSuffix', 'recoveryRegionSuffixes'],
    ['selfHealRecoveredKey', 'selfHealRecoveredKeys'],
    ['uniformError', 'uniformErrors'],
    ['maxPlainTextBytes', 'maxPlaintextBytes'],
    ['randompool', 'randomPool'],
    ['secret', 'secrets'],
    ['clocks', 'clock'],
  ])('D-043 %s is refused: did you mean %s?', (misspelt, right) => {
    const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), [misspelt]: undefined }))
    expect(error).toBeInstanceOf(InvalidConfigError)
    expect(error.message).toContain(JSON.stringify(misspelt))
    expect(error.message).toContain(`did you mean ${right}?`)
  })

  it('D-043 an option that resembles none is refused with the list of what is known', () => {
    const error = thrownBy(() => factoryOfAny({ ...minimalOptions(), xyzzy: 1 }))
    expect(error.message).toContain('"xyzzy"')
    expect(error.message).toContain('service, product, metastore, kms')
  })

  it('D-117 a message never shows the value', () => {
    const secret = 'correct horse battery staple'
    const given = [
      { kms: secret },
      { metastore: secret },
      { policy: secret },
      { maxPlaintextBytes: secret },
      { strictIds: secret },
      { clock: secret },
      { policy: { expireAfterMs: secret } },
      { policy: { rotation: secret } },
      { policy: { systemKeyCache: secret } },
      { policy: { cacheSessions: secret } },
    ]
    for (const options of given) {
      expect(thrownBy(() => factoryOfAny({ ...minimalOptions(), ...options })).message).not.toContain('horse')
    }
  })

  it('the options are not changed, and changing them later has no effect', async () => {
    const recoveryRegionSuffixes = ['r1']
    const policy = { expireAfterMs: 30 * DAY, cacheSessions: false }
    const metastore = createFakeMetastore()
    const kms = createFakeKms()
    const options: { -readonly [K in keyof SessionFactoryOptions]: SessionFactoryOptions[K] } = {
      service: 's',
      product: 'p',
      metastore,
      kms,
      policy,
      recoveryRegionSuffixes,
      maxPlaintextBytes: 100,
    }
    const before = { ...options, policy: { ...policy }, recoveryRegionSuffixes: [...recoveryRegionSuffixes] }
    const factory = new SessionFactory(options)
    const session = factory.getSession('p')
    const record = await session.encrypt(plaintext)
    expect(options).toEqual(before)

    const crypto = createSpyCrypto()
    Object.assign(options, {
      service: 'x',
      uniformErrors: true,
      maxPlaintextBytes: 1,
      crypto,
      metastore: undefined,
      kms: undefined,
    })
    Object.assign(policy, { expireAfterMs: 1_000, cacheSessions: true })
    recoveryRegionSuffixes.push('r2')

    const later = factory.getSession('p')
    expect(await later.decrypt(record)).toEqual(plaintext)
    expect(parentOf(await later.encrypt(plaintext)).keyId).toBe('_IK_p_s_p')
    const wire = JSON.stringify(record)
    const foreign = await rejectionOf(later.decrypt(wire.replace('_IK_p_s_p', '_IK_p_s_p_r2')))
    expect(foreign.code).toBe('ERR_ASHERAH_WRONG_PARTITION')
    // Its own crypto is closed with it, not the one that the object names now.
    await factory.close()
    expect(crypto.made).toBe(0)
  })

  it('frozen options will do', () => {
    const options = { ...minimalOptions(), policy: Object.freeze({ expireAfterMs: DAY }) }
    expect(() => new SessionFactory(Object.freeze(options))).not.toThrow()
  })

  it('nothing is asked of the parts by constructing', () => {
    const metastore = createFakeMetastore()
    const kms = createFakeKms()
    const secrets = createSpySecrets()
    new SessionFactory({ ...minimalOptions(), metastore, kms, secrets })
    expect(metastore.calls).toEqual([])
    expect(kms.encrypted.length + kms.decrypted.length + secrets.made).toBe(0)
  })
})

describe('caches', () => {
  it('core has simple and lru, and any other CacheFactory will do', async () => {
    for (const cache of [simpleCache(), lruCache(), { kind: 'mine', create: lruCache().create }]) {
      const policy = { systemKeyCache: cache, intermediateKeyCache: cache, sessionCache: cache, cacheSessions: true }
      const { factory } = createWorld(policy)
      const session = factory.getSession('p')
      expect(await session.decrypt(await session.encrypt(plaintext))).toEqual(plaintext)
      await factory.close()
    }
  })
})

it('has no methods but those that are documented', () => {
  const methods = Object.getOwnPropertyNames(SessionFactory.prototype).filter((name) => name !== 'constructor')
  expect(methods.sort()).toEqual(
    [
      'close',
      'getSession',
      'getSessionBytes',
      'getSessionBytesAsJson',
      'getSessionJson',
      'getSessionJsonAsJson',
      'stats',
      'warm',
    ].sort(),
  )
  expect(() => callAny(new SessionFactory(minimalOptions()), 'getSession')).toThrow(InvalidInputError)
})
