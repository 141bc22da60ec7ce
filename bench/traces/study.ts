import { createLfuCache } from '@asherah/cache-lfu'
import { createLruCache } from '@asherah/cache-lru'
import { createSlruCache } from '@asherah/cache-slru'
import { createTinyLfuCache } from '@asherah/cache-tinylfu'
import { type CacheFactory, lruCache } from '@asherah/core/backend'
import { optimalHits } from './optimum.ts'
import type { Trace } from './traces.ts'

/** The kinds, by the names that the page uses. */
export const kinds: Readonly<Record<string, CacheFactory>> = {
  lru: createLruCache(),
  lfu: createLfuCache(),
  slru: createSlruCache(),
  tinylfu: createTinyLfuCache(),
}

/** Core's own, for times only: it lets the same entries go as `lru`. */
export const coreKind: CacheFactory = lruCache()

/** What one trace did to caches of one size. */
export interface TraceResult {
  readonly trace: string
  readonly size: number
  /** Shares of the accesses, from 0 to 1. */
  readonly hitRates: Readonly<Record<string, number>>
  readonly optimum: number
  /** Nanoseconds of CPU time an access: a `get`, and a `set` where it missed. */
  readonly nanoseconds: Readonly<Record<string, number>>
}

/** Runs a trace through each kind. @throws Error when a kind had more hits than are possible: the study itself is wrong then. */
export function studyTrace(trace: Trace, size: number): TraceResult {
  const { accesses } = trace
  const keys = Array.from({ length: 1 + accesses.reduce((a, b) => Math.max(a, b), 0) }, (_, i) => keyOf(i))
  const optimum = optimalHits(accesses, size)
  const hitRates: Record<string, number> = {}
  const nanoseconds: Record<string, number> = {}
  for (const [kind, factory] of Object.entries({ ...kinds, core: coreKind })) {
    const cache = factory.create<string>({ maxSize: size, onEvict() {} })
    let hits = 0
    const start = process.threadCpuUsage()
    for (const access of accesses) {
      const key = keys[access] ?? ''
      if (cache.get(key) === undefined) cache.set(key, key)
      else hits += 1
    }
    nanoseconds[kind] = cpuNanoseconds(start) / accesses.length
    cache.close()
    if (hits > optimum) throw new Error(`${kind} has ${hits} hits on ${trace.name}, and ${optimum} are possible`)
    if (kind === 'core' && hits / accesses.length !== hitRates.lru) throw new Error('core has another LRU than lru')
    if (kind !== 'core') hitRates[kind] = hits / accesses.length
  }
  return { trace: trace.name, size, hitRates, optimum: optimum / accesses.length, nanoseconds }
}

/** As core's cache keys are. */
export function keyOf(partition: number): string {
  return `_IK_tenant-${partition}_billing_shop|1795251360`
}

/** @param start What `process.threadCpuUsage()` gave. */
export function cpuNanoseconds(start: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(start)
  return (user + system) * 1_000
}
