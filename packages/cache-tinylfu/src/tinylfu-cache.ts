import type { CacheFactory } from '@asherah/core/backend'
import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'
import { createSegmentedCache } from './segmented-cache.ts'

/** Options of {@link createTinyLfuCache}. */
export interface TinyLfuCacheOptions {
  /** The part of `maxSize` that takes every new entry, above 0 and below 1; default 0.01. Never less than one entry. */
  readonly windowShare?: number
  /** The part of the rest that entries with a second use may fill, above 0 and below 1; default 0.8. */
  readonly protectedShare?: number
}

/**
 * A kind of cache: W-TinyLFU (Einziger, Friedman and Manes, 2017), as the Java library Caffeine has it, with a window of
 * fixed size. A new entry enters a small LRU window. What leaves the window replaces the next victim of the main part, a
 * segmented LRU, only if it was used more often lately; else it leaves the cache itself. O(1) an operation.
 *
 * How often is estimated from a hash whose key is random for each factory: partition ids cannot be chosen to collide.
 * Each cache takes a `maxSize` from 1 to 8,388,608 entries, memory as it fills, and 12 to 24 bytes an entry for the estimates.
 *
 * @throws InvalidConfigError for an unknown option or a share out of range.
 * @example
 * import { createTinyLfuCache } from '@asherah/cache-tinylfu'
 *
 * const policy = { intermediateKeyCache: createTinyLfuCache(), intermediateKeyCacheMaxSize: 100_000 }
 */
export function createTinyLfuCache(options: TinyLfuCacheOptions = {}): CacheFactory {
  checkKnownOptions('createTinyLfuCache', options, ['windowShare', 'protectedShare'])
  const shares = {
    windowShare: share('windowShare', options.windowShare ?? 0.01),
    protectedShare: share('protectedShare', options.protectedShare ?? 0.8),
  }
  const [low = 0, high = 0] = crypto.getRandomValues(new Uint32Array(2))
  return { kind: 'tinylfu', create: (cacheOptions) => createSegmentedCache(cacheOptions, shares, { low, high }) }
}

function share(name: string, value: number): number {
  if (typeof value === 'number' && value > 0 && value < 1) return value
  throw new InvalidConfigError(`${name} is a number above 0 and below 1`)
}
