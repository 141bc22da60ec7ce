import type { CacheFactory } from './contracts/cache.ts'
import { InvalidConfigError } from './errors.ts'
import { lruCache } from './internal/lru-cache.ts'
import { checkKnownOptions } from './internal/options.ts'

/** How keys age, are cached and are checked. Every duration is in milliseconds. */
export interface CryptoPolicy {
  /** A key older than this writes no more, and goes on reading. Default 90 days; ≥ 1,000, or Infinity. */
  readonly expireAfterMs: number
  /** How long a cached key is used before its row is read again: how soon a revocation is noticed. Default 1 hour; ≥ 0 (0: each time), or Infinity. */
  readonly revokeCheckIntervalMs: number
  /** New keys' `created` is truncated to this, so that concurrent creators meet. Default 1 minute; ≥ 1,000, floored to whole seconds, never above `expireAfterMs`. */
  readonly createDatePrecisionMs: number
  /** Default true. False: the KMS is asked whenever a system key is needed. */
  readonly cacheSystemKeys: boolean
  /** Default true. */
  readonly cacheIntermediateKeys: boolean
  /** Default {@link lruCache}. */
  readonly systemKeyCache: CacheFactory
  /** Default {@link lruCache}. */
  readonly intermediateKeyCache: CacheFactory
  /** In entries. Default 1,000; not for an unbounded cache. */
  readonly systemKeyCacheMaxSize: number
  /** In entries, of each session or, when shared, of the factory. Default 1,000; not for an unbounded cache. */
  readonly intermediateKeyCacheMaxSize: number
  /** One intermediate-key cache for the factory instead of one for each session. Default false. */
  readonly sharedIntermediateKeyCache: boolean
  /** `getSession` of one partition shares one underlying session. Default false. */
  readonly cacheSessions: boolean
  /** Default {@link lruCache}. */
  readonly sessionCache: CacheFactory
  /** In sessions. Default 1,000; not for an unbounded cache. */
  readonly sessionCacheMaxSize: number
  /** A session that nobody used for this long leaves the cache. Default 2 hours; ≥ 1, or Infinity. */
  readonly sessionCacheTtlMs: number
  /** `inline` (default): the encrypt that finds a key expired makes the new one. `queued`: it goes on with the expired key while one rotation runs behind; a revoked key is rotated inline. */
  readonly rotation: 'inline' | 'queued'
  /** Publish `expiredOnRead` on `asherah:key` when a decrypt uses an expired key. Default false. */
  readonly notifyExpiredKeyOnRead: boolean
  /** Use a stale key while one re-check runs behind, for at most one more interval. Default false: wait for the re-check. */
  readonly staleWhileRevalidate: boolean
  /** When a re-check fails, the stale key may be used this much longer, with a warning. Default 0. */
  readonly staleGraceMs: number
  /** A key that a record or row names and that is not there is read once more after this long: a replica may lag behind. Default 250; 0: never. */
  readonly missingKeyRetryMs: number
  /** Shortens each entry's interval by a random share of it, so that checks spread. Default 0.1; 0 to 1. */
  readonly keyReloadJitter: number
  /** A key dated further ahead than this is not used for writing. Default 300,000. */
  readonly clockSkewMs: number
  /** An intermediate key that wrapped this many data row keys in this process is rotated. Default 2^31; 1 to 2^32. */
  readonly maxUsesPerKey: number
}

/** What a caller gives: any part of a {@link CryptoPolicy}. */
export type CryptoPolicyOptions = Partial<CryptoPolicy>

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** NIST SP 800-38D allows 2^32 random nonces under one key; we rotate at half of that. */
const MAX_USES = 2 ** 32

const DEFAULTS: Omit<CryptoPolicy, 'systemKeyCache' | 'intermediateKeyCache' | 'sessionCache'> = {
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
}

interface Range {
  readonly min: number
  readonly max: number
  readonly integer: boolean
  readonly infinity: boolean
}

const MAX_MS = Number.MAX_SAFE_INTEGER
const DURATION: Range = { min: 0, max: MAX_MS, integer: false, infinity: false }
const SIZE: Range = { min: 1, max: 2 ** 24, integer: true, infinity: false }

const RANGES = {
  expireAfterMs: { ...DURATION, min: SECOND, infinity: true },
  revokeCheckIntervalMs: { ...DURATION, infinity: true },
  createDatePrecisionMs: { ...DURATION, min: SECOND },
  systemKeyCacheMaxSize: SIZE,
  intermediateKeyCacheMaxSize: SIZE,
  sessionCacheMaxSize: SIZE,
  sessionCacheTtlMs: { ...DURATION, min: 1, infinity: true },
  staleGraceMs: DURATION,
  missingKeyRetryMs: { ...DURATION, max: 60 * SECOND },
  keyReloadJitter: { ...DURATION, max: 1 },
  clockSkewMs: DURATION,
  maxUsesPerKey: { min: 1, max: MAX_USES, integer: true, infinity: false },
} as const satisfies Partial<Record<keyof CryptoPolicy, Range>>

const BOOLEANS = [
  'cacheSystemKeys',
  'cacheIntermediateKeys',
  'sharedIntermediateKeyCache',
  'cacheSessions',
  'notifyExpiredKeyOnRead',
  'staleWhileRevalidate',
] as const

const SIZED_CACHES = [
  ['systemKeyCache', 'systemKeyCacheMaxSize'],
  ['intermediateKeyCache', 'intermediateKeyCacheMaxSize'],
  ['sessionCache', 'sessionCacheMaxSize'],
] as const

const NAMES = [...Object.keys(DEFAULTS), 'systemKeyCache', 'intermediateKeyCache', 'sessionCache']

/**
 * A whole policy from any part of one. An option that is undefined is absent.
 *
 * @throws InvalidConfigError for an unknown option or a value out of its range.
 */
export function createCryptoPolicy(options: CryptoPolicyOptions = {}): CryptoPolicy {
  checkKnownOptions('the crypto policy', options, NAMES)
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
  const caches = { systemKeyCache: lruCache(), intermediateKeyCache: lruCache(), sessionCache: lruCache() }
  const policy: CryptoPolicy = { ...DEFAULTS, ...caches, ...given }

  for (const [name, range] of Object.entries(RANGES)) checkNumber(name, Reflect.get(policy, name), range)
  for (const name of BOOLEANS) {
    if (typeof policy[name] !== 'boolean') {
      throw new InvalidConfigError(`policy option ${name} is true or false, not ${describe(policy[name])}`)
    }
  }
  if (policy.rotation !== 'inline' && policy.rotation !== 'queued') {
    throw new InvalidConfigError(`policy option rotation is 'inline' or 'queued', not ${describe(policy.rotation)}`)
  }
  for (const [cache, size] of SIZED_CACHES) {
    if (typeof policy[cache]?.create !== 'function') {
      throw new InvalidConfigError(`policy option ${cache} is a CacheFactory such as lruCache()`)
    }
    if (policy[cache].kind === 'simple' && given[size] !== undefined) {
      throw new InvalidConfigError(`policy option ${size} has no meaning for an unbounded simple cache`)
    }
  }
  // Whole seconds, since `created` is; and no coarser than a key's life, or the second key of a life would meet the first.
  const precision = Math.floor(Math.min(policy.createDatePrecisionMs, policy.expireAfterMs) / SECOND) * SECOND
  return Object.freeze({ ...policy, createDatePrecisionMs: precision })
}

/** Options of {@link basicExpiringPolicy}. */
export interface BasicExpiringPolicyOptions {
  /** In days, > 0. */
  readonly keyExpirationDays: number
  /** In minutes, ≥ 0. */
  readonly revokeCheckMinutes: number
}

/** The canonical libraries' `BasicExpiringCryptoPolicy`, as options that can be spread and widened. */
export function basicExpiringPolicy(options: BasicExpiringPolicyOptions): CryptoPolicyOptions {
  checkKnownOptions('basicExpiringPolicy', options, ['keyExpirationDays', 'revokeCheckMinutes'])
  const { keyExpirationDays, revokeCheckMinutes } = options
  const days: Range = { min: SECOND / DAY, max: MAX_MS / DAY, integer: false, infinity: false }
  checkNumber('keyExpirationDays', keyExpirationDays, days, 'a number of days from 0.0000116 (1 second) to 104249991')
  checkNumber('revokeCheckMinutes', revokeCheckMinutes, {
    min: 0,
    max: MAX_MS / MINUTE,
    integer: false,
    infinity: false,
  })
  return { expireAfterMs: keyExpirationDays * DAY, revokeCheckIntervalMs: revokeCheckMinutes * MINUTE }
}

/** TEST ONLY: keys never expire and are never checked again, so a revocation is never noticed. */
export function neverExpiringPolicy(): CryptoPolicyOptions {
  return { expireAfterMs: Number.POSITIVE_INFINITY, revokeCheckIntervalMs: Number.POSITIVE_INFINITY }
}

/** @param allowed For messages, where the range's own figures are hard to read. */
function checkNumber(name: string, value: unknown, range: Range, allowed?: string): void {
  if (value === Number.POSITIVE_INFINITY && range.infinity) return
  if (
    typeof value !== 'number' ||
    !(value >= range.min && value <= range.max) ||
    (range.integer && !Number.isSafeInteger(value))
  ) {
    const kind = range.integer ? 'a whole number' : 'a number'
    const or = range.infinity ? ', or Infinity' : ''
    const rule = allowed ?? `${kind} from ${range.min} to ${range.max}${or}`
    throw new InvalidConfigError(`policy option ${name} is ${rule}, not ${describe(value)}`)
  }
}

/** A value's kind, and the value itself only where it is a number or boolean: a mistaken secret must not be printed. */
function describe(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return value === null ? 'null' : `a value of type ${typeof value}`
}
