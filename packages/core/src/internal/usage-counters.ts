import { lruCache } from './caches.ts'
import type { KeyUsage } from './key-entry.ts'

/** Keys whose uses are counted beyond their life in a cache: about 10 MB at the most. */
const MAX_COUNTED_KEYS = 65_536

/** Counts uses of keys in this process, also of keys that leave a cache and come back; bounded, the oldest count is lost. */
export function createUsageCounters(): (cacheKey: string) => KeyUsage {
  const counts = lruCache().create<KeyUsage>({ maxSize: MAX_COUNTED_KEYS, onEvict: () => {} })
  return (cacheKey) => {
    const known = counts.get(cacheKey)
    if (known !== undefined) return known
    const usage = { count: 0 }
    counts.set(cacheKey, usage)
    return usage
  }
}
