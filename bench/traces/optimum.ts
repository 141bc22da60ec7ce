/** A heap of whole numbers ≥ 0, the greatest on top. */
interface Heap {
  push(value: number): void
  pop(): number | undefined
}

function createHeap(): Heap {
  const values: number[] = []
  const at = (i: number): number => values[i] ?? -1
  const swap = (i: number, j: number): void => {
    const value = at(i)
    values[i] = at(j)
    values[j] = value
  }
  return {
    push(value) {
      let i = values.push(value) - 1
      for (let up = (i - 1) >>> 1; i > 0 && at(up) < at(i); i = up, up = (i - 1) >>> 1) swap(i, up)
    },
    pop() {
      const top = values[0]
      const last = values.pop()
      if (values.length === 0 || last === undefined) return top
      values[0] = last
      for (let i = 0; ; ) {
        const child = at(i * 2 + 1) > at(i * 2 + 2) ? i * 2 + 1 : i * 2 + 2
        if (at(child) <= at(i)) return top
        swap(i, child)
        i = child
      }
    },
  }
}

/**
 * Hits of a cache that knows the future: Belady's optimum, which lets go of what is used again last, the newcomer too.
 * No cache of this size can have more.
 */
export function optimalHits(accesses: Uint32Array, size: number): number {
  const never = accesses.length
  const nextUse = new Uint32Array(accesses.length).fill(never)
  const seen = new Map<number, number>()
  for (let i = accesses.length - 1; i >= 0; i--) {
    const key = accesses[i] ?? 0
    nextUse[i] = seen.get(key) ?? never
    seen.set(key, i)
  }
  /** Each cached key by when it is used next: no two are used at the same time. */
  const cached = new Set<number>()
  const order = createHeap()
  let hits = 0
  for (let i = 0; i < accesses.length; i++) {
    // What is due now is the key of this access; its old place in the heap is never on top again while others are later.
    if (cached.delete(i)) hits += 1
    const next = nextUse[i] ?? never
    if (next === never) continue
    cached.add(next)
    order.push(next)
    if (cached.size <= size) continue
    const last = order.pop()
    if (last !== undefined) cached.delete(last)
  }
  return hits
}
