import type { CacheCounters } from './internal/counters.ts'
import type { KeyMeta } from './types.ts'

/** A cache's counters: `size` is of now, the others are sums since the factory was made. */
export interface CacheStats {
  /** Entries. */
  readonly size: number
  readonly hits: number
  readonly misses: number
  /** Entries that were found, and had to be checked again first. */
  readonly stale: number
  /** Entries that left because the cache was full. */
  readonly evictions: number
}

/** What a `SessionFactory` has in hand: `SessionFactory.stats`. */
export interface FactoryStats {
  /** Sessions that callers have not closed yet. */
  readonly openSessions: number
  /** Calls of sessions in flight; what answers in the same tick is in none. */
  readonly operations: number
  /** Keys that are unwrapped now: cached, or in use by an operation. */
  readonly openKeys: { readonly systemKeys: number; readonly intermediateKeys: number }
  readonly systemKeyCache: CacheStats
  /** Of the factory, or of all its sessions together. */
  readonly intermediateKeyCache: CacheStats
  /** All zeros unless the policy has `cacheSessions`. */
  readonly sessionCache: CacheStats
  /** The queue of `rotation: 'queued'`. */
  readonly rotations: RotationStats
  /**
   * Bytes that the `secrets` or `crypto` of the factory have locked, for all who share them; undefined where they cannot say:
   * on the heap nothing is locked.
   */
  readonly lockedBytes: number | undefined
}

/** Queued rotations. */
export interface RotationStats {
  /** Expired keys whose successor is being made, or waits for that; the oldest first. */
  readonly keys: readonly KeyMeta[]
  readonly waiting: number
  readonly running: number
  readonly done: number
  /** Each is a `ROTATION_FAILED` on `asherah:warning`, and is tried again. */
  readonly failed: number
}

/** The public form of a cache's counters. */
export function cacheStats({ hit, miss, stale, evict }: CacheCounters, size: number): CacheStats {
  return { size, hits: hit, misses: miss, stale, evictions: evict }
}
