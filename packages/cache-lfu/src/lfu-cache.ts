import type { Cache, CacheFactory, CacheOptions } from '@asherah/core/backend'
import { InvalidConfigError } from '@asherah/core/backend'
import { Node } from 'yallist'
import { type Bucket, createBuckets } from './buckets.ts'

/** Half of what a `Map` can hold: with more, its table has no room to tidy up in. */
const MAX_SIZE = 2 ** 23

/**
 * A kind of cache: the entry with the fewest uses leaves first, and of those the one that was used longest ago. O(1) an
 * operation (Shah, Mitra and Matani, “An O(1) algorithm for implementing the LFU cache eviction scheme”, 2010).
 *
 * Uses are never forgotten while an entry stays: what was popular long ago keeps its place. Each cache takes a `maxSize`
 * from 1 to 8,388,608 entries, and memory as it fills.
 *
 * @param options There are none: a cache's size is an option of the policy.
 * @throws InvalidConfigError for any option.
 * @example
 * import { createLfuCache } from '@asherah/cache-lfu'
 *
 * const policy = { intermediateKeyCache: createLfuCache(), intermediateKeyCacheMaxSize: 100_000 }
 */
export function createLfuCache(options: Readonly<Record<string, never>> = {}): CacheFactory {
  const [given] = Object.keys(options)
  if (given !== undefined) {
    throw new InvalidConfigError(
      `createLfuCache has no option ${JSON.stringify(given)}: the policy has the size, such as intermediateKeyCacheMaxSize`,
    )
  }
  return { kind: 'lfu', create: createCache }
}

interface Entry<V> {
  readonly key: string
  value: V
  bucket: Bucket<Entry<V>>
}

function createCache<V>({ maxSize, onEvict }: CacheOptions<V>): Cache<V> {
  if (!Number.isSafeInteger(maxSize) || maxSize < 1 || maxSize > MAX_SIZE) {
    throw new InvalidConfigError(`the maxSize of an lfu cache is a whole number from 1 to ${MAX_SIZE}, not ${maxSize}`)
  }
  const nodes = new Map<string, Node<Entry<V>>>()
  const buckets = createBuckets<Entry<V>>()
  let closed = false

  const use = (node: Node<Entry<V>>): Entry<V> => {
    const entry = node.value
    const next = buckets.of(entry.bucket.uses + 1, entry.bucket)
    next.entries.pushNode(node)
    buckets.dropIfEmpty(entry.bucket)
    entry.bucket = next
    return entry
  }
  const remove = (node: Node<Entry<V>>): Entry<V> => {
    const entry = node.value
    entry.bucket.entries.removeNode(node)
    buckets.dropIfEmpty(entry.bucket)
    nodes.delete(entry.key)
    return entry
  }
  /** Of those with the fewest uses, the one that was used longest ago. */
  const leastUsed = (): Node<Entry<V>> | undefined => buckets.first()?.entries.head

  const add = (key: string, value: V): void => {
    const victim = nodes.size >= maxSize ? leastUsed() : undefined
    const evicted = victim && remove(victim)
    const bucket = buckets.of(1, undefined)
    const node = new Node<Entry<V>>({ key, value, bucket })
    bucket.entries.pushNode(node)
    nodes.set(key, node)
    // Last: a callback may use the cache.
    if (evicted !== undefined) onEvict(evicted.key, evicted.value, 'evict')
  }

  return {
    get size() {
      return nodes.size
    },
    get(key) {
      const node = nodes.get(key)
      return node && use(node).value
    },
    peek: (key) => nodes.get(key)?.value.value,
    set(key, value) {
      if (closed) {
        onEvict(key, value, 'dispose')
        return
      }
      const node = nodes.get(key)
      if (node === undefined) {
        add(key, value)
        return
      }
      const entry = use(node)
      const old = entry.value
      entry.value = value
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
      for (let node = leastUsed(); node !== undefined; node = leastUsed()) {
        const { key, value } = remove(node)
        onEvict(key, value, 'dispose')
      }
    },
  }
}
