import { describe, expect, it } from 'vitest'
import { lruCache } from '../src/index.ts'
import { createCacheCounters } from '../src/internal/counters.ts'
import { createKeyCache } from '../src/internal/key-cache.ts'
import { acquireKey, cacheKeyOf, type KeyEntry, releaseKey } from '../src/internal/key-entry.ts'

/** An entry whose handle tells whether it is closed. */
function createEntry(keyId: string, created = 1): KeyEntry {
  let closed = false
  const age = { checkedAt: 0, freshUntil: 0, failures: 0, retryAt: 0 }
  return {
    keyId,
    created,
    cacheKey: cacheKeyOf(keyId, created),
    handle: {
      get closed() {
        return closed
      },
      close() {
        closed = true
      },
    },
    encryptedKey: new Uint8Array(60),
    status: { keyId, created, revoked: false, freshness: age },
    parent: undefined,
    usage: undefined,
    references: 1,
    detached: false,
    counters: undefined,
  }
}

const latestOf = (entry: KeyEntry, checkedAt = 0) => ({
  entry,
  usage: { count: 0, notifiedAt: 0, rotation: undefined },
  freshness: { checkedAt, freshUntil: 0, failures: 0, retryAt: 0 },
})

describe('createKeyCache', () => {
  const createCache = (maxSize: number) =>
    createKeyCache({
      kind: 'ik',
      counters: createCacheCounters(),
      createCache: (onEvict) => lruCache().create<KeyEntry>({ maxSize, onEvict }),
    })

  it('D-030 100,000 partitions, 100 entries: as many pointers to the latest, and every key that left is closed', () => {
    const cache = createCache(100)
    let left: KeyEntry[] = []
    for (let i = 0; i < 100_000; i += 1) {
      const entry = createEntry(`_IK_${i}_s_p`)
      cache.put(entry)
      cache.setLatest(latestOf(entry))
      releaseKey(entry)
      left.push(entry)
      if (left.length < 200) continue
      expect(cache.size).toBe(100)
      expect(cache.latestSize).toBe(100)
      expect(left.filter((gone) => !gone.handle.closed)).toEqual(left.slice(100))
      left = left.slice(100)
    }
  })

  it('a key that leaves while it is used is closed at its last release, not before', () => {
    const cache = createCache(1)
    const entry = createEntry('a')
    cache.put(entry)
    acquireKey(entry)
    const other = createEntry('b')
    cache.put(other)
    expect(cache.get(entry.cacheKey)).toBeUndefined()
    releaseKey(entry)
    expect(entry.handle.closed).toBe(false)
    releaseKey(entry)
    expect(entry.handle.closed).toBe(true)
    expect(other.handle.closed).toBe(false)
  })

  it('a key that is replaced leaves, and the pointer to it', () => {
    const cache = createCache(10)
    const old = createEntry('a')
    cache.put(old)
    cache.setLatest(latestOf(old))
    releaseKey(old)
    const next = createEntry('a')
    cache.put(next)
    expect(old.handle.closed).toBe(true)
    expect(cache.latest('a')).toBeUndefined()
    cache.setLatest(latestOf(next))
    expect(cache.latest('a')?.entry).toBe(next)
  })

  it('a pointer is never set to a key that has left', () => {
    const cache = createCache(1)
    const entry = createEntry('a')
    cache.put(entry)
    cache.put(createEntry('b'))
    cache.setLatest(latestOf(entry))
    expect(cache.latestSize).toBe(0)
  })

  it('of two reads of "latest" the earlier one does not bring an older key back; the later one does', () => {
    const cache = createCache(10)
    const [older, newer] = [createEntry('a', 1), createEntry('a', 2)]
    cache.put(older)
    cache.put(newer)
    cache.setLatest(latestOf(newer, 10))
    cache.setLatest(latestOf(older, 9))
    expect(cache.latest('a')?.entry).toBe(newer)
    cache.setLatest(latestOf(older, 11))
    expect(cache.latest('a')?.entry).toBe(older)
    cache.setLatest(latestOf(newer, 5))
    expect(cache.latest('a')?.entry).toBe(newer)
  })

  it('a key that is put after the close belongs to its references alone', () => {
    // A cache of others that takes entries even after its close.
    const entries = new Map<string, KeyEntry>()
    const cache = createKeyCache({
      kind: 'ik',
      counters: createCacheCounters(),
      createCache: (onEvict) => ({
        size: 0,
        get: () => undefined,
        peek: () => undefined,
        delete: () => false,
        set: (key, entry) => void entries.set(key, entry),
        close() {
          for (const [key, entry] of entries) onEvict(key, entry, 'dispose')
        },
      }),
    })
    const before = createEntry('a')
    cache.put(before)
    releaseKey(before)
    cache.close()
    expect(before.handle.closed).toBe(true)
    const late = createEntry('b')
    cache.put(late)
    cache.setLatest(latestOf(late))
    expect(cache.latestSize).toBe(0)
    expect(late.handle.closed).toBe(false)
    releaseKey(late)
    expect(late.handle.closed).toBe(true)
  })
})
