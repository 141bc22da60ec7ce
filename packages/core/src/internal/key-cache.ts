import type { Cache } from '../contracts/cache.ts'
import { channels } from '../diagnostics.ts'
import type { Freshness } from './freshness.ts'
import { acquireKey, detachKey, type KeyEntry, type WriteKey } from './key-entry.ts'

/** The newest key of one id, as a read of "latest" has shown it. */
export interface LatestKey extends WriteKey {
  readonly freshness: Freshness
}

/** How a key cache is made. */
export interface KeyCacheOptions {
  readonly kind: 'sk' | 'ik'
  /** Undefined: caching is off, and each entry lives as long as the operation that loaded it. */
  readonly createCache: ((onEvict: (key: string, entry: KeyEntry, why: string) => void) => Cache<KeyEntry>) | undefined
}

/** Unwrapped keys by (id, created), and for some ids which of them is the latest. */
export interface KeyCache {
  readonly size: number
  /** How many ids have a latest key here: never more than there are entries. */
  readonly latestSize: number
  latest(keyId: string): LatestKey | undefined
  /** Of two reads that overlap, an older key of the earlier one does not replace the newer key. */
  setLatest(latest: LatestKey): void
  /** Forgets which key is the latest; the key itself stays readable. */
  dropLatest(keyId: string): void
  get(cacheKey: string): KeyEntry | undefined
  /** Caches an entry that the caller references; a cache that is off or declines leaves it to its references. */
  put(entry: KeyEntry): void
  delete(cacheKey: string): void
  /** Counts a use of a cached entry. */
  touch(entry: KeyEntry): void
  close(): void
}

/** Makes the cache of one level: the factory's system keys, or a session's or factory's intermediate keys. */
export function createKeyCache(options: KeyCacheOptions): KeyCache {
  const { kind } = options
  const latest = new Map<string, LatestKey>()
  const forget = (entry: KeyEntry): void => {
    if (latest.get(entry.keyId)?.entry === entry) latest.delete(entry.keyId)
  }
  const cache = options.createCache?.((_key, entry, why) => {
    // The pointer leaves with its entry: side tables are bounded as the cache is.
    forget(entry)
    detachKey(entry)
    if (why === 'evict' && channels.cache.hasSubscribers) {
      channels.cache.publish({ cache: kind, event: 'evict', keyId: entry.keyId })
    }
  })
  let closed = false

  return {
    get size() {
      return cache?.size ?? 0
    },
    get latestSize() {
      return latest.size
    },
    latest: (keyId) => latest.get(keyId),
    setLatest(key) {
      const { keyId, created, detached } = key.entry
      const known = latest.get(keyId)
      const isOvertaken =
        known !== undefined && known.entry.created > created && known.freshness.checkedAt >= key.freshness.checkedAt
      if (!detached && !isOvertaken) latest.set(keyId, key)
    },
    dropLatest(keyId) {
      latest.delete(keyId)
    },
    get: (cacheKey) => cache?.get(cacheKey),
    put(entry) {
      if (cache === undefined || closed) {
        entry.detached = true
        return
      }
      cache.set(entry.cacheKey, entry)
    },
    delete(cacheKey) {
      cache?.delete(cacheKey)
    },
    touch(entry) {
      cache?.get(entry.cacheKey)
    },
    close() {
      closed = true
      cache?.close()
      latest.clear()
    },
  }
}

/** Takes a reference for the caller, who releases it. */
export function acquired<T extends WriteKey>(key: T): T {
  acquireKey(key.entry)
  return key
}
