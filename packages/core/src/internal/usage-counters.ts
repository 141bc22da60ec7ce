import type { KeyUsage } from './key-entry.ts'
import { lruCache } from './lru-cache.ts'

/** Keys that are remembered beyond their life in a cache: about 10 MB at the most. */
const MAX_COUNTED_KEYS = 65_536

/** Remembers the uses of keys that leave a cache and come back; bounded: what was not asked for the longest is forgotten. */
export function createUsageCounters(): (cacheKey: string) => KeyUsage {
  const counts = lruCache().create<KeyUsage>({ maxSize: MAX_COUNTED_KEYS, onEvict: () => {} })
  return (cacheKey) => {
    const known = counts.get(cacheKey)
    if (known !== undefined) return known
    const usage = { count: 0, notifiedAt: Number.NEGATIVE_INFINITY, rotation: undefined }
    counts.set(cacheKey, usage)
    return usage
  }
}
