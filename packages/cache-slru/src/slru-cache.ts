import type { Cache, CacheFactory, CacheOptions } from '@asherah/core/backend'
import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'
import { Node, Yallist } from 'yallist'

/** Options of {@link createSlruCache}. */
export interface SlruCacheOptions {
  /** The part of `maxSize` that entries with a second use may fill, above 0 and below 1; default 0.8. */
  readonly protectedShare?: number
}

/** Half of what a `Map` can hold: with more, its table has no room to tidy up in. */
const MAX_SIZE = 2 ** 23

/**
 * A kind of cache of two segments (segmented LRU; Karedla, Love and Wherry, 1994). A new entry is on probation; its next
 * use makes it protected, and what that pushes out of the protected segment is on probation again. The entry that has
 * been on probation the longest without a use leaves first: one pass over many keys does not empty the cache. O(1) an operation.
 *
 * Each cache takes a `maxSize` from 1 to 8,388,608 entries, and memory as it fills.
 *
 * @throws InvalidConfigError for an unknown option or a share out of range.
 * @example
 * import { createSlruCache } from '@asherah/cache-slru'
 *
 * const policy = { intermediateKeyCache: createSlruCache(), intermediateKeyCacheMaxSize: 100_000 }
 */
export function createSlruCache(options: SlruCacheOptions = {}): CacheFactory {
  checkKnownOptions('createSlruCache', options, ['protectedShare'])
  const { protectedShare = 0.8 } = options
  if (typeof protectedShare !== 'number' || !(protectedShare > 0 && protectedShare < 1)) {
    throw new InvalidConfigError('protectedShare is a number above 0 and below 1')
  }
  return { kind: 'slru', create: (cacheOptions) => createCache(cacheOptions, protectedShare) }
}

interface Entry<V> {
  readonly key: string
  value: V
}

function createCache<V>({ maxSize, onEvict }: CacheOptions<V>, protectedShare: number): Cache<V> {
  if (!Number.isSafeInteger(maxSize) || maxSize < 1 || maxSize > MAX_SIZE) {
    throw new InvalidConfigError(`the maxSize of an slru cache is a whole number from 1 to ${MAX_SIZE}, not ${maxSize}`)
  }
  // Below maxSize: a full cache has somebody on probation, so that there is always one who leaves.
  const protectedSize = Math.min(maxSize - 1, Math.floor(maxSize * protectedShare))
  const nodes = new Map<string, Node<Entry<V>>>()
  /** Each segment in the order of use, the oldest at its head. */
  const onProbation = new Yallist<Entry<V>>()
  const inProtection = new Yallist<Entry<V>>()
  let closed = false

  const use = (node: Node<Entry<V>>): void => {
    if (protectedSize === 0) {
      onProbation.pushNode(node)
      return
    }
    inProtection.pushNode(node)
    const { head } = inProtection
    if (inProtection.length > protectedSize && head !== undefined) onProbation.pushNode(head)
  }
  const remove = (node: Node<Entry<V>>): Entry<V> => {
    node.list?.removeNode(node)
    nodes.delete(node.value.key)
    return node.value
  }
  const firstToLeave = (): Node<Entry<V>> | undefined => onProbation.head ?? inProtection.head

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
      if (known !== undefined) {
        use(known)
        const old = known.value.value
        known.value.value = value
        onEvict(key, old, 'overwrite')
        return
      }
      const victim = nodes.size >= maxSize ? firstToLeave() : undefined
      const evicted = victim && remove(victim)
      const node = new Node<Entry<V>>({ key, value })
      nodes.set(key, node)
      onProbation.pushNode(node)
      // Last: a callback may use the cache.
      if (evicted !== undefined) onEvict(evicted.key, evicted.value, 'evict')
    },
    delete(key) {
      const node = nodes.get(key)
      if (node === undefined) return false
      onEvict(key, remove(node).value, 'delete')
      return true
    },
    close() {
      closed = true
      for (let node = firstToLeave(); node !== undefined; node = firstToLeave()) {
        const { key, value } = remove(node)
        onEvict(key, value, 'dispose')
      }
    },
  }
}
