import type { Cache, CacheFactory, CacheOptions } from '../contracts/cache.ts'
import { InvalidConfigError } from '../errors.ts'

/** One entry, between one that was used earlier and one that was used later. */
interface Node<V> {
  readonly key: string
  readonly value: V
  older: Node<V> | undefined
  newer: Node<V> | undefined
}

/** Core's bounded cache: the entry that was used longest ago leaves first. */
export function lruCache(): CacheFactory {
  return {
    kind: 'lru',
    create(options) {
      const { maxSize } = options
      if (!Number.isSafeInteger(maxSize) || maxSize < 1) {
        throw new InvalidConfigError(`the maxSize of an lru cache is a whole number ≥ 1, not ${maxSize}`)
      }
      return linkedCache(options)
    },
  }
}

/**
 * A `Map` and a list of its entries by use. The order of a `Map` alone would do but for the time that it takes: its first key
 * is found by walking over all that were deleted before it.
 */
function linkedCache<V>({ maxSize, onEvict }: CacheOptions<V>): Cache<V> {
  const nodes = new Map<string, Node<V>>()
  let oldest: Node<V> | undefined
  let newest: Node<V> | undefined
  let closed = false

  const append = (node: Node<V>): void => {
    node.older = newest
    node.newer = undefined
    if (newest === undefined) oldest = node
    else newest.newer = node
    newest = node
  }
  const unlink = ({ older, newer }: Node<V>): void => {
    if (older === undefined) oldest = newer
    else older.newer = newer
    if (newer === undefined) newest = older
    else newer.older = older
  }
  const remove = (node: Node<V>): void => {
    nodes.delete(node.key)
    unlink(node)
  }

  return {
    get size() {
      return nodes.size
    },
    get(key) {
      const node = nodes.get(key)
      if (node === undefined) return undefined
      if (node !== newest) {
        unlink(node)
        append(node)
      }
      return node.value
    },
    peek: (key) => nodes.get(key)?.value,
    set(key, value) {
      if (closed) {
        onEvict(key, value, 'dispose')
        return
      }
      const before = nodes.get(key)
      const leaver = before ?? (nodes.size >= maxSize ? oldest : undefined)
      if (leaver !== undefined) remove(leaver)
      const node: Node<V> = { key, value, older: undefined, newer: undefined }
      nodes.set(key, node)
      append(node)
      // Last: what it calls may call this cache.
      if (leaver !== undefined) onEvict(leaver.key, leaver.value, leaver === before ? 'overwrite' : 'evict')
    },
    delete(key) {
      const node = nodes.get(key)
      if (node === undefined) return false
      remove(node)
      onEvict(key, node.value, 'delete')
      return true
    },
    close() {
      closed = true
      while (oldest !== undefined) {
        const node = oldest
        remove(node)
        onEvict(node.key, node.value, 'dispose')
      }
    },
  }
}
