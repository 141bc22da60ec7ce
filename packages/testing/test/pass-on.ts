import type { Cache } from '@asherah/core/backend'

/** A cache with every method passed on, for a fault to be put over it. */
export function passOn<V>(cache: Cache<V>): Cache<V> {
  return {
    get size() {
      return cache.size
    },
    get: (key) => cache.get(key),
    peek: (key) => cache.peek(key),
    set: (key, value) => cache.set(key, value),
    delete: (key) => cache.delete(key),
    close: () => cache.close(),
  }
}
