import type { Cache, CacheOptions } from '@asherah/core/backend'
import { InvalidConfigError } from '@asherah/core/backend'
import { Node, Yallist } from 'yallist'
import { createFrequencySketch, type FrequencySketch } from './frequency-sketch.ts'
import { halfSipHash, type TwoWords } from './half-sip-hash.ts'

/** How a cache's size is shared out; see `TinyLfuCacheOptions`. */
export interface Shares {
  readonly windowShare: number
  readonly protectedShare: number
}

/** Half of what a `Map` can hold: with more, its table has no room to tidy up in. */
const MAX_SIZE = 2 ** 23

/** Entries of the window, and of the protected segment of the rest. */
function segmentSizes(maxSize: number, shares: Shares): { readonly window: number; readonly protected: number } {
  const window = Math.max(1, Math.floor(maxSize * shares.windowShare))
  const main = maxSize - window
  // Below the whole: a full main part has somebody on probation, so that there is always a victim.
  return { window, protected: Math.max(0, Math.min(main - 1, Math.floor(main * shares.protectedShare))) }
}

interface Entry<V> {
  readonly key: string
  /** Kept, so that a hit hashes nothing. */
  readonly hash: TwoWords
  value: V
}

/** A W-TinyLFU cache. @param hashKey Random, so that nobody knows which keys share a counter. */
export function createSegmentedCache<V>(
  { maxSize, onEvict }: CacheOptions<V>,
  shares: Shares,
  hashKey: TwoWords,
): Cache<V> {
  if (!Number.isSafeInteger(maxSize) || maxSize < 1 || maxSize > MAX_SIZE) {
    throw new InvalidConfigError(
      `the maxSize of a tinylfu cache is a whole number from 1 to ${MAX_SIZE}, not ${maxSize}`,
    )
  }
  const sizes = segmentSizes(maxSize, shares)
  const nodes = new Map<string, Node<Entry<V>>>()
  /** Each segment in the order of use, the oldest at its head. */
  const inWindow = new Yallist<Entry<V>>()
  const onProbation = new Yallist<Entry<V>>()
  const inProtection = new Yallist<Entry<V>>()
  /** Made when the cache is half full: most caches of single sessions never are, and would hold its memory for nothing. */
  let sketch: FrequencySketch | undefined
  let closed = false

  const use = (node: Node<Entry<V>>): void => {
    sketch?.record(node.value.hash)
    if (node.list !== onProbation) {
      node.list?.pushNode(node)
      return
    }
    if (sizes.protected === 0) {
      onProbation.pushNode(node)
      return
    }
    inProtection.pushNode(node)
    const { head } = inProtection
    if (inProtection.length > sizes.protected && head !== undefined) onProbation.pushNode(head)
  }
  const remove = (node: Node<Entry<V>>): Entry<V> => {
    node.list?.removeNode(node)
    nodes.delete(node.value.key)
    return node.value
  }
  const isUsedMore = (candidate: Node<Entry<V>>, victim: Node<Entry<V>>): boolean =>
    sketch !== undefined && sketch.estimate(candidate.value.hash) > sketch.estimate(victim.value.hash)

  /** Lets the window's oldest entry into the main part, or out. Gives the entry that has to leave, if one has. */
  const shrinkWindow = (): Entry<V> | undefined => {
    const candidate = inWindow.head
    if (inWindow.length <= sizes.window || candidate === undefined) return undefined
    if (nodes.size <= maxSize) {
      onProbation.pushNode(candidate)
      return undefined
    }
    const victim = onProbation.head ?? inProtection.head
    if (victim === undefined || !isUsedMore(candidate, victim)) return remove(candidate)
    onProbation.pushNode(candidate)
    return remove(victim)
  }
  const add = (key: string, value: V): void => {
    const node = new Node<Entry<V>>({ key, hash: halfSipHash(key, hashKey), value })
    nodes.set(key, node)
    inWindow.pushNode(node)
    if (nodes.size * 2 >= maxSize) sketch ??= createFrequencySketch(maxSize)
    sketch?.record(node.value.hash)
    const evicted = shrinkWindow()
    // Last: a callback may use the cache.
    if (evicted !== undefined) onEvict(evicted.key, evicted.value, 'evict')
  }

  return {
    get size() {
      return nodes.size
    },
    get(key) {
      const node = nodes.get(key)
      if (node !== undefined) use(node)
      return node?.value.value
    },
    peek: (key) => nodes.get(key)?.value.value,
    set(key, value) {
      if (closed) {
        onEvict(key, value, 'dispose')
        return
      }
      const known = nodes.get(key)
      if (known === undefined) {
        add(key, value)
        return
      }
      use(known)
      const old = known.value.value
      known.value.value = value
      onEvict(key, old, 'overwrite')
    },
    delete(key) {
      const node = nodes.get(key)
      if (node === undefined) return false
      onEvict(key, remove(node).value, 'delete')
      return true
    },
    close() {
      closed = true
      for (const segment of [onProbation, inProtection, inWindow]) {
        for (let node = segment.head; node !== undefined; node = segment.head) {
          const { key, value } = remove(node)
          onEvict(key, value, 'dispose')
        }
      }
    },
  }
}
