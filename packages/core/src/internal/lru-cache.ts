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
      return new LinkedCache(options)
    },
  }
}

/**
 * A `Map` and a list of its entries by use. The order of a `Map` alone would do but for the time that it takes: its first key
 * is found by walking over all that were deleted before it.
 *
 * A class, since each session may have one: its methods are made once.
 */
class LinkedCache<V> implements Cache<V> {
  readonly #options: CacheOptions<V>
  readonly #nodes = new Map<string, Node<V>>()
  #oldest: Node<V> | undefined = undefined
  #newest: Node<V> | undefined = undefined
  #closed = false

  constructor(options: CacheOptions<V>) {
    this.#options = options
  }

  get size(): number {
    return this.#nodes.size
  }

  get(key: string): V | undefined {
    const node = this.#nodes.get(key)
    if (node === undefined) return undefined
    if (node !== this.#newest) {
      this.#unlink(node)
      this.#append(node)
    }
    return node.value
  }

  peek(key: string): V | undefined {
    return this.#nodes.get(key)?.value
  }

  set(key: string, value: V): void {
    const { maxSize, onEvict } = this.#options
    if (this.#closed) {
      onEvict(key, value, 'dispose')
      return
    }
    const before = this.#nodes.get(key)
    const leaver = before ?? (this.#nodes.size >= maxSize ? this.#oldest : undefined)
    if (leaver !== undefined) this.#remove(leaver)
    const node: Node<V> = { key, value, older: undefined, newer: undefined }
    this.#nodes.set(key, node)
    this.#append(node)
    // Last: what it calls may call this cache.
    if (leaver !== undefined) onEvict(leaver.key, leaver.value, leaver === before ? 'overwrite' : 'evict')
  }

  delete(key: string): boolean {
    const node = this.#nodes.get(key)
    if (node === undefined) return false
    this.#remove(node)
    this.#options.onEvict(key, node.value, 'delete')
    return true
  }

  close(): void {
    this.#closed = true
    while (this.#oldest !== undefined) {
      const node = this.#oldest
      this.#remove(node)
      this.#options.onEvict(node.key, node.value, 'dispose')
    }
  }

  #append(node: Node<V>): void {
    node.older = this.#newest
    node.newer = undefined
    if (this.#newest === undefined) this.#oldest = node
    else this.#newest.newer = node
    this.#newest = node
  }

  #unlink({ older, newer }: Node<V>): void {
    if (older === undefined) this.#oldest = newer
    else older.newer = newer
    if (newer === undefined) this.#newest = older
    else newer.older = older
  }

  #remove(node: Node<V>): void {
    this.#nodes.delete(node.key)
    this.#unlink(node)
  }
}
