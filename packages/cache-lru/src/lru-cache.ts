import type { Cache, CacheFactory, CacheOptions, EvictReason } from '@asherah/core/backend'
import { InvalidConfigError } from '@asherah/core/backend'
import { LRUCache } from 'lru-cache'

/** Half of what a `Map` can hold: with more, its table has no room to tidy up in. */
const MAX_SIZE = 2 ** 23

/** Slots of a new cache. `lru-cache` allocates all of its slots at once, and a session's own cache rarely has more entries. */
const FIRST_SLOTS = 16

const REASONS: Readonly<Record<LRUCache.DisposeReason, EvictReason>> = {
  evict: 'evict',
  delete: 'delete',
  set: 'overwrite',
  // Neither is used here: there is no time to live, and nothing is fetched.
  expire: 'evict',
  fetch: 'evict',
}

/**
 * A kind of cache, over the package `lru-cache`: the entry that was used longest ago leaves first. O(1) an operation.
 *
 * Each cache takes a `maxSize` from 1 to 8,388,608 entries, and memory as it fills.
 *
 * @param options There are none: a cache's size is an option of the policy.
 * @throws InvalidConfigError for any option.
 * @example
 * import { createLruCache } from '@asherah/cache-lru'
 *
 * const policy = { intermediateKeyCache: createLruCache(), intermediateKeyCacheMaxSize: 100_000 }
 */
export function createLruCache(options: Readonly<Record<string, never>> = {}): CacheFactory {
  const [given] = Object.keys(options)
  if (given !== undefined) {
    throw new InvalidConfigError(
      `createLruCache has no option ${JSON.stringify(given)}: the policy has the size, such as intermediateKeyCacheMaxSize`,
    )
  }
  return { kind: 'lru', create: createCache }
}

/** A value in its own object: `lru-cache` takes `undefined` for a deletion, and the same value again for no change. */
interface Box<V> {
  readonly value: V
}

function createCache<V>({ maxSize, onEvict }: CacheOptions<V>): Cache<V> {
  if (!Number.isSafeInteger(maxSize) || maxSize < 1 || maxSize > MAX_SIZE) {
    throw new InvalidConfigError(`the maxSize of an lru cache is a whole number from 1 to ${MAX_SIZE}, not ${maxSize}`)
  }
  let closed = false
  const withSlots = (max: number): LRUCache<string, Box<V>> =>
    new LRUCache({
      max,
      // After, not during: a callback may use the cache.
      disposeAfter: ({ value }, key, why) => onEvict(key, value, closed ? 'dispose' : REASONS[why]),
    })
  let entries = withSlots(Math.min(maxSize, FIRST_SLOTS))
  /** Each growth copies what is there into four times the slots: a few steps an entry over a cache's life. */
  const grow = (): void => {
    const larger = withSlots(Math.min(maxSize, entries.max * 4))
    for (const key of entries.rkeys()) {
      const box = entries.peek(key)
      if (box !== undefined) larger.set(key, box)
    }
    entries = larger
  }
  return {
    get size() {
      return entries.size
    },
    get: (key) => entries.get(key)?.value,
    peek: (key) => entries.peek(key)?.value,
    set(key, value) {
      if (closed) {
        onEvict(key, value, 'dispose')
        return
      }
      if (entries.size === entries.max && entries.max < maxSize) grow()
      entries.set(key, { value })
    },
    delete: (key) => entries.delete(key),
    close() {
      closed = true
      // One by one: `clear` shifts its list of callbacks, which takes the square of a million entries.
      while (entries.size > 0) entries.pop()
    },
  }
}
