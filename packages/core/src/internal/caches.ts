import type { Cache, CacheFactory, CacheOptions, EvictReason } from '../contracts/cache.ts'
import { InvalidConfigError } from '../errors.ts'

/** Core's bounded cache: the entry that was used longest ago leaves first. */
export function lruCache(): CacheFactory {
  return {
    kind: 'lru',
    create(options) {
      const { maxSize } = options
      if (!Number.isSafeInteger(maxSize) || maxSize < 1) {
        throw new InvalidConfigError(`the maxSize of an lru cache is a whole number ≥ 1, not ${maxSize}`)
      }
      return mapCache(options, maxSize, true)
    },
  }
}

/** Core's unbounded cache: nothing ever leaves by itself. Giving it a size is refused. */
export function simpleCache(): CacheFactory {
  return {
    kind: 'simple',
    create(options) {
      if (options.maxSize !== Number.POSITIVE_INFINITY) {
        throw new InvalidConfigError('a simple cache is unbounded: its maxSize is Infinity; take lru for a bounded one')
      }
      return mapCache(options, options.maxSize, false)
    },
  }
}

/** A `Map` keeps its keys in the order of insertion: re-inserting on use makes the first key the oldest one. */
function mapCache<V>(options: CacheOptions<V>, maxSize: number, reorder: boolean): Cache<V> {
  const entries = new Map<string, { readonly value: V }>()
  let newest: string | undefined
  let closed = false
  const evict = (key: string, why: EvictReason): boolean => {
    const entry = entries.get(key)
    if (entry === undefined) return false
    entries.delete(key)
    if (newest === key) newest = undefined
    options.onEvict(key, entry.value, why)
    return true
  }
  const evictOldest = (): void => {
    for (const oldest of entries.keys()) {
      evict(oldest, 'evict')
      return
    }
  }
  return {
    get size() {
      return entries.size
    },
    get(key) {
      const entry = entries.get(key)
      if (entry !== undefined && reorder && newest !== key) {
        entries.delete(key)
        entries.set(key, entry)
        newest = key
      }
      return entry?.value
    },
    peek: (key) => entries.get(key)?.value,
    set(key, value) {
      if (closed) {
        options.onEvict(key, value, 'dispose')
        return
      }
      evict(key, 'overwrite')
      if (entries.size >= maxSize) evictOldest()
      entries.set(key, { value })
      newest = key
    },
    delete: (key) => evict(key, 'delete'),
    close() {
      closed = true
      for (const key of [...entries.keys()]) evict(key, 'dispose')
    },
  }
}
