import type { Cache } from '../contracts/cache.ts'
import { channels } from '../diagnostics.ts'
import type { CacheCounters } from './counters.ts'
import { acquireKey, detachKey, type KeyEntry, type WriteKey } from './key-entry.ts'

/** How a key cache is made. */
export interface KeyCacheOptions {
  readonly kind: 'sk' | 'ik'
  /** Undefined: caching is off, and each entry lives as long as the operation that loaded it. */
  readonly createCache: ((onEvict: (key: string, entry: KeyEntry, why: string) => void) => Cache<KeyEntry>) | undefined
  /** Of all the caches of this kind that a factory has. */
  readonly counters: CacheCounters
}

/** Unwrapped keys by (id, created), and for some ids which of them is the latest. */
export interface KeyCache {
  /** Tells this cache from the factory's others. */
  readonly number: number
  readonly size: number
  /** How many ids have a latest key here: never more than there are entries. */
  readonly latestSize: number
  latest(keyId: string): WriteKey | undefined
  /** Of two reads that overlap, an older key of the earlier one does not replace the newer key. */
  setLatest(latest: WriteKey): void
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

/** Makes a cache of one level: the factory's system keys, or a session's or factory's intermediate keys. */
export function createKeyCache(options: KeyCacheOptions): KeyCache {
  return new OwnKeyCache(options)
}

/** A class, since each session may have one: its methods are made once. */
class OwnKeyCache implements KeyCache {
  readonly number: number
  readonly #options: KeyCacheOptions
  readonly #cache: Cache<KeyEntry> | undefined
  /** The latest key that was set last. A session's own cache has no other. */
  #first: WriteKey | undefined
  /** The others: a shared cache has as many as partitions. */
  #others: Map<string, WriteKey> | undefined
  #closed = false

  constructor(options: KeyCacheOptions) {
    this.#options = options
    this.number = ++options.counters.made
    this.#cache = options.createCache?.((_key, entry, why) => this.#leave(entry, why))
  }

  get size(): number {
    return this.#cache?.size ?? 0
  }

  get latestSize(): number {
    return (this.#first === undefined ? 0 : 1) + (this.#others?.size ?? 0)
  }

  latest(keyId: string): WriteKey | undefined {
    return this.#first?.entry.keyId === keyId ? this.#first : this.#others?.get(keyId)
  }

  setLatest(key: WriteKey): void {
    const { keyId, created, detached } = key.entry
    const known = this.latest(keyId)
    const isOvertaken =
      known !== undefined && known.entry.created > created && known.freshness.checkedAt >= key.freshness.checkedAt
    if (detached || isOvertaken) return
    if (this.#first === undefined || this.#first.entry.keyId === keyId) {
      this.#others?.delete(keyId)
      this.#first = key
      return
    }
    this.#others ??= new Map()
    this.#others.set(keyId, key)
  }

  dropLatest(keyId: string): void {
    if (this.#first?.entry.keyId === keyId) this.#first = undefined
    else this.#others?.delete(keyId)
  }

  get(cacheKey: string): KeyEntry | undefined {
    return this.#cache?.get(cacheKey)
  }

  put(entry: KeyEntry): void {
    if (this.#cache === undefined || this.#closed) {
      entry.detached = true
      return
    }
    this.#options.counters.size += 1
    this.#cache.set(entry.cacheKey, entry)
  }

  delete(cacheKey: string): void {
    this.#cache?.delete(cacheKey)
  }

  touch(entry: KeyEntry): void {
    this.#cache?.get(entry.cacheKey)
  }

  close(): void {
    this.#closed = true
    this.#cache?.close()
    this.#first = undefined
    this.#others = undefined
  }

  #leave(entry: KeyEntry, why: string): void {
    const { kind, counters } = this.#options
    counters.size -= 1
    // The pointer leaves with its entry: side tables are bounded as the cache is.
    if (this.latest(entry.keyId)?.entry === entry) this.dropLatest(entry.keyId)
    detachKey(entry)
    if (why !== 'evict') return
    counters.evict += 1
    if (channels.cache.hasSubscribers) channels.cache.publish({ cache: kind, event: 'evict', keyId: entry.keyId })
  }
}

/** Takes a reference for the caller, who releases it. */
export function acquired(key: WriteKey): WriteKey {
  acquireKey(key.entry)
  return key
}
