import { type Cache, type CacheFactory, type CacheOptions, lruCache, simpleCache } from '@asherah/core/backend'
import { describe } from 'vitest'
import type { CacheSubject } from '../src/cache/cache-checks.ts'
import { selectCacheChecks } from '../src/cache/cache-conformance.ts'
import { faultTests, type KnownFault } from './failing-checks.ts'
import { passOn } from './pass-on.ts'

type Wrap = <V>(options: CacheOptions<V>, create: CacheFactory['create']) => Cache<V>

/** Core's cache, with a fault around it. */
function around(inner: CacheFactory, wrap: Wrap, bounded = true): CacheSubject {
  return { bounded, factory: { kind: inner.kind, create: (options) => wrap(options, inner.create) } }
}

const faults: readonly KnownFault<CacheSubject>[] = [
  {
    fault: 'one map for all caches',
    seenBy: ['know nothing of each other'],
    make() {
      let shared: Cache<unknown> | undefined
      return around(lruCache(), (options, create) => {
        const own = create(options)
        shared ??= own
        const first = shared
        return { ...passOn(own), close: () => first.close() }
      })
    },
  },
  {
    fault: 'a size that never changes',
    seenBy: ['get and peek give what was set', 'set over a key', 'maxSize is exact'],
    make: () => around(lruCache(), (options, create) => ({ ...passOn(create(options)), size: 0 })),
  },
  {
    fault: 'an overwritten value that is forgotten',
    seenBy: ['set over a key lets the old value go as overwrite', 'in 5,000 mixed operations'],
    make: () =>
      around(lruCache(), (options, create) =>
        create({ ...options, onEvict: (key, value, why) => why !== 'overwrite' && options.onEvict(key, value, why) }),
      ),
  },
  {
    fault: 'a deleted value that goes as evict',
    seenBy: ['delete gives true and lets the value go as delete', 'in 5,000 mixed operations'],
    make: () =>
      around(lruCache(), (options, create) =>
        create({
          ...options,
          onEvict: (key, value, why) => options.onEvict(key, value, why === 'delete' ? 'evict' : why),
        }),
      ),
  },
  {
    fault: 'a value that goes twice',
    seenBy: ['close lets every value go as dispose, once', 'maxSize is exact'],
    make: () =>
      around(lruCache(), (options, create) =>
        create({
          ...options,
          onEvict(key, value, why) {
            options.onEvict(key, value, why)
            if (why !== 'overwrite') options.onEvict(key, value, why)
          },
        }),
      ),
  },
  {
    fault: 'values that stay after close',
    seenBy: ['close lets every value go as dispose, once'],
    make: () => around(lruCache(), (options, create) => ({ ...passOn(create(options)), close: () => {} })),
  },
  {
    fault: 'an object for a map',
    seenBy: ['keys are any text'],
    make: () =>
      around(lruCache(), (options, create) => {
        const cache = create(options)
        return {
          ...passOn(cache),
          get(key) {
            if (key in {}) throw new TypeError('a method of Object.prototype is no value')
            return cache.get(key)
          },
        }
      }),
  },
  {
    fault: 'keys in lower case',
    seenBy: ['keys are any text'],
    make: () =>
      around(lruCache(), (options, create) => {
        const cache = create(options)
        return {
          ...passOn(cache),
          get: (key) => cache.get(key.toLowerCase()),
          set: (key, value) => cache.set(key.toLowerCase(), value),
        }
      }),
  },
  {
    fault: 'an onEvict that must not look',
    seenBy: ['onEvict may look at the cache'],
    make: () =>
      around(lruCache(), (options, create) => {
        let busy = false
        const onEvict: typeof options.onEvict = (key, value, why) => {
          busy = true
          options.onEvict(key, value, why)
          busy = false
        }
        const cache = create({ ...options, onEvict })
        const check = (): void => {
          if (busy) throw new Error('re-entered')
        }
        return {
          ...passOn(cache),
          get(key) {
            check()
            return cache.get(key)
          },
        }
      }),
  },
  {
    fault: 'one entry too many (D-030)',
    seenBy: ['maxSize is exact', 'in 5,000 mixed operations', 'a value that is not admitted'],
    make: () =>
      around(lruCache(), (options, create) =>
        create(options.maxSize >= 1 ? { ...options, maxSize: options.maxSize + 1 } : options),
      ),
  },
  {
    fault: 'one entry too few',
    seenBy: ['maxSize is exact'],
    make: () =>
      around(lruCache(), (options, create) =>
        create(options.maxSize > 1 ? { ...options, maxSize: options.maxSize - 1 } : options),
      ),
  },
  {
    fault: 'newcomers turned away without a word',
    seenBy: ['a value that is not admitted goes as evict'],
    make: () =>
      around(lruCache(), (options, create) => {
        const cache = create(options)
        return {
          ...passOn(cache),
          set(key, value) {
            if (cache.size < options.maxSize || cache.peek(key) !== undefined) cache.set(key, value)
          },
        }
      }),
  },
  {
    fault: 'first in, first out',
    seenBy: ['get counts as a use'],
    make: () =>
      around(lruCache(), (options, create) => {
        const cache = create(options)
        return { ...passOn(cache), get: (key) => cache.peek(key) }
      }),
  },
  {
    fault: 'a peek that is a use',
    seenBy: ['peek does not count as a use'],
    make: () =>
      around(lruCache(), (options, create) => {
        const cache = create(options)
        return { ...passOn(cache), peek: (key) => cache.get(key) }
      }),
  },
  {
    fault: 'an evicted value that nobody is told of',
    seenBy: ['cache of system keys', 'cache of intermediate keys', 'cache of sessions'],
    make: () =>
      around(lruCache(), (options, create) =>
        create({ ...options, onEvict: (key, value, why) => why !== 'evict' && options.onEvict(key, value, why) }),
      ),
  },
  {
    fault: 'any maxSize taken',
    seenBy: ['a maxSize that is no whole number'],
    make: () =>
      around(lruCache(), (options, create) =>
        create({ ...options, maxSize: Math.max(1, Math.floor(options.maxSize) || 1) }),
      ),
  },
]

const unboundedFaults: readonly KnownFault<CacheSubject>[] = [
  {
    fault: 'a hidden bound',
    seenBy: ['nothing leaves by itself'],
    make: () => around(lruCache(), (options, create) => create({ ...options, maxSize: 10_000 }), false),
  },
  {
    fault: 'a maxSize that is ignored (D-030)',
    seenBy: ['a finite maxSize is an InvalidConfigError'],
    make: () =>
      around(simpleCache(), (options, create) => create({ ...options, maxSize: Number.POSITIVE_INFINITY }), false),
  },
]

describe('the cache kit', () => {
  faultTests(selectCacheChecks(true), () => ({ factory: lruCache(), bounded: true }), faults)
})

describe('the cache kit for unbounded kinds', () => {
  const own = selectCacheChecks(false).filter(
    (check) => !selectCacheChecks(true).some(({ name }) => name === check.name),
  )
  faultTests(own, () => ({ factory: simpleCache(), bounded: false }), unboundedFaults)
})
