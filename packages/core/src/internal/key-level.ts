import type { Call } from '../contracts/call.ts'
import type { Clock } from '../contracts/clock.ts'
import type { KeyHandle } from '../contracts/crypto-provider.ts'
import type { CryptoPolicy } from '../crypto-policy.ts'
import { type CacheEvent, channels } from '../diagnostics.ts'
import { AbortedError, KeyNotFoundError } from '../errors.ts'
import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import type { MetastoreCalls } from './backend-calls.ts'
import { createExactKeys } from './exact-keys.ts'
import type { Freshness, FreshnessRules } from './freshness.ts'
import type { KeyCache } from './key-cache.ts'
import { cacheKeyOf, type KeyEntry, type KeyStatus, type KeyUsage, type WriteKey } from './key-entry.ts'
import { createLatestKeys } from './latest-keys.ts'
import type { Operations } from './operations.ts'

/** How the hierarchy is asked for a key to write with. */
export interface WriteCall extends Call {
  /** Rotate an expired key now, whatever the policy: a queued rotation whose turn has come. */
  readonly inline?: boolean
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
  /** The key that wraps a row, which the caller releases; undefined at the top; null: there is none that may write. */
  parentOf(row: EnvelopeKeyRecord, call: Call): Promise<KeyEntry | undefined | null>
  /** Reads the parent's row again, if the entry has a parent and that is stale. */
  refreshParent(entry: KeyEntry, call: Call): Promise<void>
  /** Makes a key and wraps it. */
  make(key: KeyMeta, call: WriteCall): Promise<MadeKey>
}

/** What a level needs from its factory. */
export interface LevelContext {
  readonly policy: CryptoPolicy
  readonly clock: Clock
  readonly freshness: FreshnessRules
  readonly metastore: MetastoreCalls
  readonly operations: Operations
  /** What is remembered of a key, for the factory's life as far as its bound allows. */
  usageOf(cacheKey: string): KeyUsage
}

/** One level of keys over one cache: system keys, or intermediate keys. */
export interface KeyLevel {
  readonly cache: KeyCache
  /** The latest key, if it is cached, fresh and may write at `now` (Unix ms); no reference is taken: use it in this tick. */
  tryLatest(keyId: string, now: number): WriteKey | undefined
  /** A key that may write, made if need be. The caller releases it, and asks {@link mayWrite} in the tick of its use. */
  latest(keyId: string, call: WriteCall): Promise<WriteKey>
  /** Whether a key that `latest` gave may still write: others may have used it up since, or its time may have come. */
  mayWrite(key: WriteKey): boolean
  /** The cached key, if fresh; no reference is taken: use it in this tick. */
  tryExact(keyId: string, created: number): KeyEntry | undefined
  /** Exactly this key, valid or not. The caller releases it. @throws KeyNotFoundError */
  exact(key: KeyMeta, call: Call): Promise<KeyEntry>
}

/** What the two halves of a level share. */
export interface LevelTools extends LevelContext {
  readonly rules: LevelRules
  readonly cache: KeyCache
  /** Publishes on `asherah:cache`. */
  publish(event: CacheEvent['event'], keyId: string): void
  /** Reads a row; a failure delays the next re-check of what is stale. */
  reading<T>(stale: Freshness | undefined, read: () => Promise<T>): Promise<T>
  /** After a failed re-check: whether the stale key may be used a little longer. */
  mayGoOn(error: unknown, stale: Freshness, keyId: string): boolean
  /** Work that no caller waits for. Its failure is a warning. */
  behind(code: string, keyId: string, work: () => Promise<void>): void
}

/** The algorithm of `key-hierarchy`, for one level. */
export function createKeyLevel(rules: LevelRules, cache: KeyCache, context: LevelContext): KeyLevel {
  const { clock } = context
  const tools = createTools(rules, cache, context)
  const exact = createExactKeys(tools)
  const latest = createLatestKeys(tools, exact)
  return {
    cache,
    tryLatest(keyId, now) {
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
    tryExact(keyId, created) {
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
  }
}

function createTools(rules: LevelRules, cache: KeyCache, context: LevelContext): LevelTools {
  const { freshness, operations } = context
  return {
    ...context,
    rules,
    cache,
    publish(event, keyId) {
      if (channels.cache.hasSubscribers) channels.cache.publish({ cache: rules.kind, event, keyId })
    },
    async reading(stale, read) {
      try {
        return await read()
      } catch (error) {
        if (stale !== undefined && !(error instanceof AbortedError)) freshness.fail(stale)
        throw error
      }
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
