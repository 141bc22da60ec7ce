import type { Cache, CacheFactory, CacheOptions, EvictReason } from '../contracts/cache.ts'
import { InvalidConfigError } from '../errors.ts'

/** Core's unbounded cache: nothing ever leaves by itself. Giving it a size is refused. */
export function simpleCache(): CacheFactory {
  return {
    kind: 'simple',
    create(options) {
      if (options.maxSize !== Number.POSITIVE_INFINITY) {
        throw new InvalidConfigError('a simple cache is unbounded: its maxSize is Infinity; take lru for a bounded one')
      }
      return mapCache(options)
    },
  }
}

function mapCache<V>({ onEvict }: CacheOptions<V>): Cache<V> {
  const entries = new Map<string, { readonly value: V }>()
  let closed = false
  const remove = (key: string, why: EvictReason): boolean => {
    const entry = entries.get(key)
    if (entry === undefined) return false
    entries.delete(key)
    onEvict(key, entry.value, why)
    return true
  }
  return {
    get size() {
      return entries.size
    },
    get: (key) => entries.get(key)?.value,
    peek: (key) => entries.get(key)?.value,
    set(key, value) {
      if (closed) {
        onEvict(key, value, 'dispose')
        return
      }
      remove(key, 'overwrite')
      entries.set(key, { value })
    },
    delete: (key) => remove(key, 'delete'),
    close() {
      closed = true
      for (const key of [...entries.keys()]) remove(key, 'dispose')
    },
  }
}
