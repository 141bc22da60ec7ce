import type { Call } from '../contracts/call.ts'
import type { Clock } from '../contracts/clock.ts'
import type { KeyHandle } from '../contracts/crypto-provider.ts'
import type { CryptoPolicy } from '../crypto-policy.ts'
import { type CacheEvent, channels } from '../diagnostics.ts'
import { AbortedError, KeyNotFoundError } from '../errors.ts'
import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import type { MetastoreCalls } from './backend-calls.ts'
import type { CacheCounters } from './counters.ts'
import { createExactKeys, type ExactKeys } from './exact-keys.ts'
import type { Freshness, FreshnessRules } from './freshness.ts'
import type { KeyCache } from './key-cache.ts'
import { cacheKeyOf, type KeyEntry, type KeyStatus, type KeyUsage, type WriteKey } from './key-entry.ts'
import { createLatestKeys, type LatestKeys } from './latest-keys.ts'
import type { Operations } from './operations.ts'
import type { RotationQueue } from './rotation-queue.ts'

/** How the hierarchy is asked for a key to write with. */
export interface WriteCall extends Call {
  /** Rotate an expired key now, whatever the policy: a queued rotation whose turn has come. */
  readonly inline?: boolean
}

/** How the hierarchy is asked for a key to read with. */
export interface ReadCall extends Call {
  /** The key is one of several that may be meant: a miss is an answer, and not read again. */
  readonly mayBeMissing?: boolean
}

/** A key just made, not stored yet. */
export interface MadeKey {
  readonly handle: KeyHandle
  readonly encryptedKey: Uint8Array
  readonly parent: KeyStatus | undefined
}

/** What system and intermediate keys do differently. */
export interface LevelRules {
  readonly kind: 'sk' | 'ik'
  /** Unwraps a row; with `parent`, if the caller has the key that the row names. */
  open(
    row: EnvelopeKeyRecord,
    call: Call,
    parent?: KeyEntry,
  ): Promise<{ readonly handle: KeyHandle; readonly parent: KeyStatus | undefined }>
  /**
   * Whether the row names a parent as it must. False: it may not write.
   *
   * @throws WrongPartitionError when the parent is not this factory's.
   */
  hasParent(row: EnvelopeKeyRecord): boolean
  /**
   * The key that wraps a row; undefined at the top; null: there is none that may write.
   *
   * @param unwraps Whether the key itself is needed, and not its status alone.
   */
  parentOf(row: EnvelopeKeyRecord, unwraps: boolean, call: Call): Promise<Parent | undefined | null>
  /** Reads the parent's row again, if the entry has a parent and that is stale. */
  refreshParent(entry: KeyEntry, call: Call): Promise<void>
  /** Makes a key and wraps it. */
  make(key: KeyMeta, call: WriteCall): Promise<MadeKey>
}

/** The key that wraps another. */
export interface Parent {
  readonly status: KeyStatus
  /** The caller releases it. Undefined where the status is enough, and no system key is cached. */
  readonly entry: KeyEntry | undefined
}

/** What a level needs from its factory. */
export interface LevelContext {
  readonly policy: CryptoPolicy
  readonly clock: Clock
  readonly freshness: FreshnessRules
  readonly metastore: MetastoreCalls
  readonly operations: Operations
  readonly rotations: RotationQueue
  /** What is remembered of a key, for the factory's life as far as its bound allows. */
  usageOf(cacheKey: string): KeyUsage
}

/** One level of keys, over any number of caches: system keys, or intermediate keys. */
export interface KeyLevel {
  readonly counters: CacheCounters
  /** One more cache: the level's only one, or a session's own. */
  createCache(): KeyCache
  /** The latest key, if it is cached, fresh and may write at `now` (Unix ms); no reference is taken: use it in this tick. */
  tryLatest(cache: KeyCache, keyId: string, now: number): WriteKey | undefined
  /** A key that may write, made if need be. The caller releases it, and asks {@link mayWrite} in the tick of its use. */
  latest(cache: KeyCache, keyId: string, call: WriteCall): Promise<WriteKey>
  /** Whether a key that `latest` gave may still write: others may have used it up since, or its time may have come. */
  mayWrite(key: WriteKey): boolean
  /** Whether the reads behind a key that `latest` gave are so long ago that it must be checked again. */
  isStale(key: WriteKey): boolean
  /** The cached key, if fresh; no reference is taken: use it in this tick. */
  tryExact(cache: KeyCache, keyId: string, created: number): KeyEntry | undefined
  /** Exactly this key, valid or not. The caller releases it. @throws KeyNotFoundError */
  exact(cache: KeyCache, key: KeyMeta, call: ReadCall): Promise<KeyEntry>
  /** What the key's row says now, without unwrapping it. @throws KeyNotFoundError */
  status(key: KeyMeta, call: Call): Promise<KeyStatus>
  /** For rows that were read while the thread was blocked. */
  readonly rows: Pick<ExactKeys, 'known' | 'add' | 'noteRevoked'> &
    Pick<LatestKeys, 'mayBeLatest' | 'setLatest' | 'notAfter'> &
    Pick<LevelTools, 'publish'>
}

/** What the two halves of a level share. */
export interface LevelTools extends LevelContext {
  readonly rules: LevelRules
  readonly counters: CacheCounters
  /** Counts, and publishes on `asherah:cache`. */
  publish(event: CacheEvent['event'], keyId: string): void
  /** Reads a row; a failure delays the next re-check of what is stale. */
  reading<T>(stale: Freshness | undefined, read: () => Promise<T>): Promise<T>
  /** After a failed re-check: whether the stale key may be used a little longer. */
  mayGoOn(error: unknown, stale: Freshness, keyId: string): boolean
  /** Work that no caller waits for. Its failure is a warning. */
  behind(code: string, keyId: string, work: () => Promise<void>): void
}

/** The algorithm of `key-hierarchy`, for one level. */
export function createKeyLevel(
  rules: LevelRules,
  counters: CacheCounters,
  createCache: () => KeyCache,
  context: LevelContext,
): KeyLevel {
  const { clock, freshness } = context
  const tools = createTools(rules, counters, context)
  const exact = createExactKeys(tools)
  const latest = createLatestKeys(tools, exact)
  return {
    counters,
    createCache,
    tryLatest(cache, keyId, now) {
      const key = cache.latest(keyId)
      if (key === undefined) return undefined
      const { entry } = key
      const monotonic = clock.monotonicMs()
      if (monotonic >= key.freshness.freshUntil) return undefined
      if (entry.parent !== undefined && monotonic >= entry.parent.freshness.freshUntil) return undefined
      if (latest.refusal(key, now) !== undefined) return undefined
      cache.touch(entry)
      tools.publish('hit', keyId)
      return key
    },
    latest: latest.get,
    mayWrite: (key) => latest.mayWrite(key),
    isStale: ({ entry, freshness: age }) =>
      freshness.state(age) === 'wait' ||
      (entry.parent !== undefined && freshness.state(entry.parent.freshness) === 'wait'),
    tryExact(cache, keyId, created) {
      // Most reads are of the latest key: its entry is found without making the cache's key.
      const newest = cache.latest(keyId)?.entry
      const isNewest = newest?.created === created
      const entry = isNewest ? newest : cache.get(cacheKeyOf(keyId, created))
      if (entry === undefined || clock.monotonicMs() >= entry.status.freshness.freshUntil) return undefined
      if (isNewest) cache.touch(entry)
      tools.publish('hit', keyId)
      return entry
    },
    exact: exact.get,
    status: exact.status,
    rows: {
      known: exact.known,
      add: exact.add,
      noteRevoked: exact.noteRevoked,
      mayBeLatest: latest.mayBeLatest,
      setLatest: latest.setLatest,
      notAfter: latest.notAfter,
      publish: tools.publish,
    },
  }
}

function createTools(rules: LevelRules, counters: CacheCounters, context: LevelContext): LevelTools {
  const { freshness, operations } = context
  return {
    ...context,
    rules,
    counters,
    publish(event, keyId) {
      counters[event] += 1
      if (channels.cache.hasSubscribers) channels.cache.publish({ cache: rules.kind, event, keyId })
    },
    reading(stale, read) {
      const reading = read()
      if (stale === undefined) return reading
      return reading.catch((error: unknown) => {
        if (!(error instanceof AbortedError)) freshness.fail(stale)
        throw error
      })
    },
    mayGoOn(error, stale, keyId) {
      // An abort is the caller's, and a vanished row is an answer: neither is a failure of the store's.
      if (error instanceof AbortedError || error instanceof KeyNotFoundError || !freshness.inGrace(stale)) return false
      warn(
        'STALE_KEY_IN_GRACE',
        `a re-check of ${JSON.stringify(keyId)} failed: its cached key is used a little longer`,
        error,
      )
      return true
    },
    behind(code, keyId, work) {
      operations.track(work()).catch((cause: unknown) => {
        if (!(cause instanceof AbortedError)) warn(code, `work behind for ${JSON.stringify(keyId)} failed`, cause)
      })
    },
  }
}

function warn(code: string, message: string, cause: unknown): void {
  if (channels.warning.hasSubscribers) channels.warning.publish({ code, message, cause })
}
