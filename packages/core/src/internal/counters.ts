/** What has happened in the caches of one kind. Plain numbers: they are counted whether somebody asks or not. */
export interface CacheCounters {
  /** Caches that were ever made. */
  made: number
  /** Entries now. */
  size: number
  /** Keys that are unwrapped now, in a cache or not. */
  open: number
  hit: number
  miss: number
  stale: number
  evict: number
}

/** Counters at zero. */
export function createCacheCounters(): CacheCounters {
  return { made: 0, size: 0, open: 0, hit: 0, miss: 0, stale: 0, evict: 0 }
}
