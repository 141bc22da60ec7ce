/** Why a cache let go of a value. */
export type EvictReason = 'evict' | 'delete' | 'overwrite' | 'dispose'

/** A bounded map of one kind of eviction. Synchronous and in process; expiry is core's, not the cache's. */
export interface Cache<V> {
  readonly size: number
  /** Counts as a use. */
  get(key: string): V | undefined
  /** Does not count as a use. */
  peek(key: string): V | undefined
  /** May decline to admit: then `onEvict` fires for the new value, as `evict`, before this returns. */
  set(key: string, value: V): void
  /** False: nothing was there. */
  delete(key: string): boolean
  /** Lets every value go, as `dispose`; idempotent. */
  close(): void
}

/** What {@link CacheFactory.create} takes. */
export interface CacheOptions<V> {
  /** In entries, ≥ 1; `Infinity` where the kind is unbounded. */
  readonly maxSize: number
  /** Called once for each value that leaves, whatever the way: this is how keys get closed. */
  onEvict(key: string, value: V, why: EvictReason): void
}

/** Makes caches of one kind. */
export interface CacheFactory {
  readonly kind: string
  /** @throws InvalidConfigError when the kind cannot have this `maxSize`. */
  create<V>(options: CacheOptions<V>): Cache<V>
}
