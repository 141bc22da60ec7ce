import { coreKind, cpuNanoseconds, keyOf, kinds } from './study.ts'

/** Times of one operation of one kind by the cache's size, in nanoseconds of CPU time. */
export interface Scaling {
  readonly kind: string
  readonly operation: 'get' | 'set'
  /** In the order of the sizes. */
  readonly nanoseconds: readonly number[]
}

/**
 * Times `get` of a cached key and `set` of a new key on a full cache, which lets another go. A bare `Map` beside them
 * shows what memory alone costs: a million entries do not fit in the processor's caches.
 */
export function measureScaling(sizes: readonly number[], operations: number): Scaling[] {
  const keys = Array.from({ length: Math.max(...sizes) + operations }, (_, i) => keyOf(i))
  const subjects = [...Object.entries({ ...kinds, core: coreKind }).map(([kind, factory]) => ({ kind, factory }))]
  const rows = subjects.map(({ kind, factory }) => ({
    kind,
    times: sizes.map((size) => {
      const cache = factory.create<string>({ maxSize: size, onEvict() {} })
      const times = timeBoth(keys, size, operations, {
        get: (key) => cache.get(key),
        set: (key) => cache.set(key, key),
      })
      cache.close()
      return times
    }),
  }))
  const bare = sizes.map((size) => {
    const map = new Map<string, string>()
    let oldest = 0
    return timeBoth(keys, size, operations, {
      get: (key) => map.get(key),
      set(key) {
        if (map.size >= size) map.delete(keys[oldest++] ?? '')
        map.set(key, key)
      },
    })
  })
  return [...rows, { kind: 'bare Map', times: bare }].flatMap(({ kind, times }) => [
    { kind, operation: 'get' as const, nanoseconds: times.map(({ get }) => get) },
    { kind, operation: 'set' as const, nanoseconds: times.map(({ set }) => set) },
  ])
}

interface Operations {
  get(key: string): unknown
  set(key: string): void
}

function timeBoth(
  keys: readonly string[],
  size: number,
  operations: number,
  { get, set }: Operations,
): { readonly get: number; readonly set: number } {
  for (let i = 0; i < size; i++) set(keys[i] ?? '')
  // A stride that is prime to the sizes: neighbours in time are no neighbours in memory.
  const gets = process.threadCpuUsage()
  for (let i = 0; i < operations; i++) get(keys[(i * 7_919) % size] ?? '')
  const getTime = cpuNanoseconds(gets) / operations
  const sets = process.threadCpuUsage()
  for (let i = 0; i < operations; i++) set(keys[size + i] ?? '')
  return { get: getTime, set: cpuNanoseconds(sets) / operations }
}
