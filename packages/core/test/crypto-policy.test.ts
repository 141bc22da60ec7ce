import { describe, expect, it } from 'vitest'
import {
  basicExpiringPolicy,
  type CryptoPolicy,
  createCryptoPolicy,
  InvalidConfigError,
  lruCache,
  neverExpiringPolicy,
  simpleCache,
} from '../src/index.ts'
import { DAY, HOUR, MINUTE } from './fakes.ts'
import { nameOf, thrownBy } from './harness.ts'

const policyOfAny = (options: unknown): CryptoPolicy => Reflect.apply(createCryptoPolicy, undefined, [options])

const INFINITY = Number.POSITIVE_INFINITY
const SAFE = Number.MAX_SAFE_INTEGER

describe('defaults', () => {
  it('are those of the documentation', () => {
    const { systemKeyCache, intermediateKeyCache, sessionCache, ...rest } = createCryptoPolicy()
    expect(rest).toEqual({
      expireAfterMs: 90 * DAY,
      revokeCheckIntervalMs: HOUR,
      createDatePrecisionMs: MINUTE,
      cacheSystemKeys: true,
      cacheIntermediateKeys: true,
      systemKeyCacheMaxSize: 1_000,
      intermediateKeyCacheMaxSize: 1_000,
      sharedIntermediateKeyCache: false,
      cacheSessions: false,
      sessionCacheMaxSize: 1_000,
      sessionCacheTtlMs: 2 * HOUR,
      rotation: 'inline',
      notifyExpiredKeyOnRead: false,
      staleWhileRevalidate: false,
      staleGraceMs: 0,
      missingKeyRetryMs: 250,
      keyReloadJitter: 0.1,
      clockSkewMs: 300_000,
      maxUsesPerKey: 2 ** 31,
    })
    expect([systemKeyCache.kind, intermediateKeyCache.kind, sessionCache.kind]).toEqual(['lru', 'lru', 'lru'])
  })

  it('stand where an option is undefined', () => {
    const absent = Object.fromEntries(Object.keys(createCryptoPolicy()).map((name) => [name, undefined]))
    const shape = (policy: CryptoPolicy) => JSON.stringify(policy)
    expect(shape(createCryptoPolicy(absent))).toBe(shape(createCryptoPolicy()))
    expect(shape(createCryptoPolicy(undefined))).toBe(shape(createCryptoPolicy()))
  })
})

/** Name, values that are taken, values that are not. */
const numbers: [keyof CryptoPolicy, number[], number[]][] = [
  ['expireAfterMs', [1_000, 1_500.5, 90 * DAY, SAFE, INFINITY], [0, 999, -1, 2 ** 53]],
  ['revokeCheckIntervalMs', [0, 0.5, HOUR, SAFE, INFINITY], [-1, -0.1, 2 ** 53]],
  ['createDatePrecisionMs', [1_000, MINUTE, DAY], [0, 999, -1, INFINITY, 2 ** 53]],
  ['systemKeyCacheMaxSize', [1, 1_000, 2 ** 24], [0, -1, 1.5, INFINITY, 2 ** 24 + 1, 2 ** 53]],
  ['intermediateKeyCacheMaxSize', [1, 1_000, 2 ** 24], [0, -1, 1.5, INFINITY, 2 ** 24 + 1, 2 ** 53]],
  ['sessionCacheMaxSize', [1, 1_000, 2 ** 24], [0, -1, 1.5, INFINITY, 2 ** 24 + 1, 2 ** 53]],
  ['sessionCacheTtlMs', [1, HOUR, SAFE, INFINITY], [0, -1, 2 ** 53]],
  ['staleGraceMs', [0, HOUR, SAFE], [-1, INFINITY, 2 ** 53]],
  ['keyReloadJitter', [0, 0.1, 1], [-0.01, 1.01, 100, INFINITY]],
  ['clockSkewMs', [0, 300_000, SAFE], [-1, INFINITY, 2 ** 53]],
  ['maxUsesPerKey', [1, 10, 2 ** 31, 2 ** 32], [0, -1, 1.5, INFINITY, 2 ** 32 + 1, 2 ** 53]],
]
const flags: (keyof CryptoPolicy)[] = [
  'cacheSystemKeys',
  'cacheIntermediateKeys',
  'sharedIntermediateKeyCache',
  'cacheSessions',
  'notifyExpiredKeyOnRead',
  'staleWhileRevalidate',
]
const caches = [
  ['systemKeyCache', 'systemKeyCacheMaxSize'],
  ['intermediateKeyCache', 'intermediateKeyCacheMaxSize'],
  ['sessionCache', 'sessionCacheMaxSize'],
] as const

describe('values', () => {
  it.each(numbers)('D-044 %s has a range, and everything else is refused, naming it', (name, good, bad) => {
    for (const value of good) expect(policyOfAny({ [name]: value })[name]).toBe(value)
    const never = [Number.NaN, -INFINITY, '60', '', null, true, {}, [60], 60n, Symbol('60'), () => 60, Object(60)]
    for (const value of [...bad, ...never]) {
      const error = thrownBy(() => policyOfAny({ [name]: value }))
      expect(error, nameOf(value)).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain(name)
      expect(error.message).toMatch(/from [\d.]+ to \d/)
    }
  })

  it.each(flags)('D-044 %s is true or false', (name) => {
    for (const value of [true, false]) expect(policyOfAny({ [name]: value })[name]).toBe(value)
    for (const value of [null, 0, 1, 'true', '', {}, []]) {
      const error = thrownBy(() => policyOfAny({ [name]: value }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain(name)
    }
  })

  it("rotation is 'inline' or 'queued'", () => {
    for (const rotation of ['inline', 'queued']) expect(policyOfAny({ rotation }).rotation).toBe(rotation)
    for (const rotation of ['Inline', 'QUEUED', '', null, true, 0]) {
      const error = thrownBy(() => policyOfAny({ rotation }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain('rotation')
    }
  })

  it.each(caches)('%s is a CacheFactory; a simple one takes no %s', (cache, size) => {
    const mine = { kind: 'mine', create: lruCache().create }
    expect(policyOfAny({ [cache]: mine, [size]: 7 })[cache]).toBe(mine)
    expect(policyOfAny({ [cache]: simpleCache() })[cache].kind).toBe('simple')
    expect(policyOfAny({ [cache]: simpleCache(), [size]: undefined })[cache].kind).toBe('simple')
    const error = thrownBy(() => policyOfAny({ [cache]: simpleCache(), [size]: 1_000 }))
    expect(error).toBeInstanceOf(InvalidConfigError)
    expect(error.message).toContain(size)
    for (const value of [
      null,
      'lru',
      7,
      {},
      { kind: 'lru' },
      lruCache,
      lruCache().create({ maxSize: 1, onEvict() {} }),
    ]) {
      const wrong = thrownBy(() => policyOfAny({ [cache]: value }))
      expect(wrong).toBeInstanceOf(InvalidConfigError)
      expect(wrong.message).toContain(cache)
    }
  })

  it.each([
    ['expireAfter', 'expireAfterMs'],
    ['ExpireAfterMs', 'expireAfterMs'],
    ['revokeCheckInterval', 'revokeCheckIntervalMs'],
    ['createDatePrecision', 'createDatePrecisionMs'],
    ['cacheSystemKey', 'cacheSystemKeys'],
    ['cacheIntermediateKey', 'cacheIntermediateKeys'],
    ['systemKeyCacheMaxSizes', 'systemKeyCacheMaxSize'],
    ['sharedIntermediateKeysCache', 'sharedIntermediateKeyCache'],
    ['sessionCacheTTLMs', 'sessionCacheTtlMs'],
    ['rotations', 'rotation'],
    ['notifyExpiredKeysOnRead', 'notifyExpiredKeyOnRead'],
    ['staleWhileRevalidating', 'staleWhileRevalidate'],
    ['staleGrace', 'staleGraceMs'],
    ['keyReloadJiter', 'keyReloadJitter'],
    ['clockSkew', 'clockSkewMs'],
    ['maxUsePerKey', 'maxUsesPerKey'],
  ])('D-043 %s is refused: did you mean %s?', (misspelt, right) => {
    for (const value of [undefined, 1_000]) {
      const error = thrownBy(() => policyOfAny({ [misspelt]: value }))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain(JSON.stringify(misspelt))
      expect(error.message).toContain(`did you mean ${right}?`)
    }
  })

  it.each([null, 7, 'expireAfterMs', true, [], () => {}].map((value) => [nameOf(value), value]))(
    '%s is no policy',
    (_what, value) => {
      const error = thrownBy(() => policyOfAny(value))
      expect(error).toBeInstanceOf(InvalidConfigError)
      expect(error.message).toContain('policy')
    },
  )

  it('names of Object.prototype are unknown options, and have no effect', () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"expireAfterMs":1000}}')
    expect(thrownBy(() => policyOfAny(hostile))).toBeInstanceOf(InvalidConfigError)
    expect(thrownBy(() => policyOfAny({ constructor: 1 }))).toBeInstanceOf(InvalidConfigError)
    expect(policyOfAny(Object.create({ expireAfterMs: 1_000 })).expireAfterMs).toBe(90 * DAY)
  })
})

describe('a policy', () => {
  it('is a frozen copy: neither it nor what it was made of can change it', () => {
    const options = { expireAfterMs: 30 * DAY }
    const policy = createCryptoPolicy(options)
    options.expireAfterMs = 1_000
    expect(policy.expireAfterMs).toBe(30 * DAY)
    expect(Object.isFrozen(policy)).toBe(true)
    expect(options).toEqual({ expireAfterMs: 1_000 })
    expect(() => createCryptoPolicy(Object.freeze({ rotation: 'queued' }))).not.toThrow()
  })

  it('can be given again, and widened', () => {
    const policy = createCryptoPolicy({ expireAfterMs: 30 * DAY })
    const wider = createCryptoPolicy({ ...policy, staleGraceMs: 1_000 })
    expect(wider).toEqual({ ...policy, staleGraceMs: 1_000 })
  })

  it.each([
    [MINUTE, 90 * DAY, MINUTE],
    [1_999, 90 * DAY, 1_000],
    [61_500, 90 * DAY, 61_000],
    [MINUTE, 1_000, 1_000],
    [MINUTE, 1_999, 1_000],
    [MINUTE, 59_999, 59_000],
    [DAY, INFINITY, DAY],
  ])('D-018 a precision of %i ms with keys that live %d ms is %i ms', (createDatePrecisionMs, expireAfterMs, whole) => {
    expect(createCryptoPolicy({ createDatePrecisionMs, expireAfterMs }).createDatePrecisionMs).toBe(whole)
  })
})

describe('the canonical builders', () => {
  it('basicExpiringPolicy is in days and minutes, and can be widened', () => {
    const options = basicExpiringPolicy({ keyExpirationDays: 30, revokeCheckMinutes: 5 })
    expect(options).toEqual({ expireAfterMs: 30 * DAY, revokeCheckIntervalMs: 5 * MINUTE })
    expect(createCryptoPolicy({ ...options, cacheSessions: true })).toMatchObject({ ...options, cacheSessions: true })
    expect(basicExpiringPolicy({ keyExpirationDays: 0.5, revokeCheckMinutes: 0 })).toEqual({
      expireAfterMs: DAY / 2,
      revokeCheckIntervalMs: 0,
    })
  })

  it.each([
    [undefined],
    [null],
    [{}],
    [{ keyExpirationDays: 30 }],
    [{ revokeCheckMinutes: 5 }],
    [{ keyExpirationDays: 0, revokeCheckMinutes: 5 }],
    [{ keyExpirationDays: -1, revokeCheckMinutes: 5 }],
    [{ keyExpirationDays: Number.NaN, revokeCheckMinutes: 5 }],
    [{ keyExpirationDays: '30', revokeCheckMinutes: 5 }],
    [{ keyExpirationDays: 30, revokeCheckMinutes: -1 }],
    [{ keyExpirationDays: 30, revokeCheckMinutes: Number.NaN }],
    [{ keyExpirationDays: 2 ** 53, revokeCheckMinutes: 5 }],
    [{ keyExpirationDays: 30, revokeCheckMinutes: 5, cacheSessions: true }],
  ])('basicExpiringPolicy(%j) is refused', (options) => {
    expect(thrownBy(() => Reflect.apply(basicExpiringPolicy, undefined, [options]))).toBeInstanceOf(InvalidConfigError)
  })

  it.each([0, -1, 2 ** 53])('tells the range of keyExpirationDays in figures that can be read: %d', (days) => {
    const error = thrownBy(() => basicExpiringPolicy({ keyExpirationDays: days, revokeCheckMinutes: 5 }))
    expect(String(error)).toContain(
      `policy option keyExpirationDays is a number of days from 0.0000116 (1 second) to 104249991, not ${days}`,
    )
    for (const keyExpirationDays of [0.0000116, 104_249_991]) {
      expect(() => basicExpiringPolicy({ keyExpirationDays, revokeCheckMinutes: 5 })).not.toThrow()
    }
  })

  it('whatever basicExpiringPolicy gives is a policy', () => {
    for (const keyExpirationDays of [1_000 / DAY, 1, SAFE / DAY]) {
      for (const revokeCheckMinutes of [0, 1, SAFE / MINUTE]) {
        const options = basicExpiringPolicy({ keyExpirationDays, revokeCheckMinutes })
        expect(() => createCryptoPolicy(options)).not.toThrow()
      }
    }
  })

  it('neverExpiringPolicy neither expires nor checks', () => {
    const policy = createCryptoPolicy(neverExpiringPolicy())
    expect([policy.expireAfterMs, policy.revokeCheckIntervalMs]).toEqual([INFINITY, INFINITY])
  })
})
