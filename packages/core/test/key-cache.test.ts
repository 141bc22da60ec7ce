import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CacheFactory, type CryptoPolicyOptions, type DataRowRecord, lruCache, simpleCache } from '../src/index.ts'
import { createCacheCounters } from '../src/internal/counters.ts'
import { createKeyCache } from '../src/internal/key-cache.ts'
import { acquireKey, cacheKeyOf, type KeyEntry, releaseKey } from '../src/internal/key-entry.ts'
import {
  bytesOf,
  createDeferred,
  createPeer,
  createWorld,
  DAY,
  HOUR,
  intermediateKeyId,
  MINUTE,
  parentOf,
  type Recording,
  recordEvents,
  settle,
  textOf,
  until,
} from './fakes.ts'

const PLAINTEXT = bytesOf('4111 1111')

let events: Recording
beforeEach(() => {
  events = recordEvents()
})
afterEach(() => events.stop())

/** A cache that admits nothing, as an admission policy may. */
function decliningCache(): CacheFactory {
  return {
    kind: 'declining',
    create: ({ onEvict }) => ({
      size: 0,
      get: () => undefined,
      peek: () => undefined,
      set: (key, value) => onEvict(key, value, 'evict'),
      delete: () => false,
      close: () => {},
    }),
  }
}

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

describe('D-029 keys are wiped when their last user is done', () => {
  it.each([
    ['lru', {}],
    ['a cache that admits nothing', { intermediateKeyCache: decliningCache(), systemKeyCache: decliningCache() }],
    ['no caches', { cacheIntermediateKeys: false, cacheSystemKeys: false }],
    ['a new session for each call', { sharedIntermediateKeyCache: false }],
    ['cached sessions', { sharedIntermediateKeyCache: false, cacheSessions: true, sessionCacheMaxSize: 1 }],
    ['each use re-checked', { revokeCheckIntervalMs: 0 }],
  ])('D-029 one entry, 50 partitions, 1,000 mixed operations at once: %s', async (_, policy: CryptoPolicyOptions) => {
    const sized = policy.intermediateKeyCache === undefined ? { intermediateKeyCacheMaxSize: 1 } : {}
    const world = createWorld({ sharedIntermediateKeyCache: true, ...sized, ...policy })
    const records: DataRowRecord[] = []
    for (let i = 0; i < 50; i += 1) {
      records.push(await world.factory.getSession(`p${i}`).encrypt(bytesOf(`p${i}`)))
    }
    const peer = createPeer(world, { sharedIntermediateKeyCache: true, ...sized, ...policy })
    peer.metastore.before = () => new Promise((resolve) => setImmediate(resolve))
    const operations = Array.from({ length: 1_000 }, async (_, i) => {
      const partition = (i * 7) % 50
      const session = peer.factory.getSession(`p${partition}`)
      try {
        if (i % 3 === 0) {
          const record = await session.encrypt(PLAINTEXT)
          expect(textOf(await session.decrypt(record))).toBe('4111 1111')
        } else {
          const record = records[partition]
          if (record === undefined) throw new Error('a record for each partition')
          expect(textOf(await session.decrypt(record))).toBe(`p${partition}`)
        }
      } finally {
        session.close()
      }
    })
    await Promise.all(operations)
    expect(peer.crypto.open).toBeLessThanOrEqual(2)
    await peer.factory.close()
    expect(peer.crypto.open).toBe(0)
    expect(peer.rows.all()).toHaveLength(51)
  })

  it('D-029 a key that is evicted in the middle of a call is usable to its end', async () => {
    const world = createWorld({ sharedIntermediateKeyCache: true, intermediateKeyCacheMaxSize: 1 })
    const a = await world.factory.getSession('a').encrypt(bytesOf('a'))
    const peer = createPeer(world, {
      sharedIntermediateKeyCache: true,
      intermediateKeyCacheMaxSize: 1,
      revokeCheckIntervalMs: HOUR,
    })
    const session = peer.factory.getSession('a')
    await session.decrypt(a)
    world.clock.advance(HOUR)
    const gate = createDeferred()
    peer.metastore.before = (call) => (call.keyId === intermediateKeyId('a') ? gate.promise : undefined)
    const decrypting = session.decrypt(a)
    await until(() => peer.metastore.count('load', intermediateKeyId('a')) === 2)
    await peer.factory.getSession('b').encrypt(PLAINTEXT)
    gate.resolve()
    expect(textOf(await decrypting)).toBe('a')
    await settle()
    expect(peer.crypto.open).toBe(2)
  })

  it('D-029 a session that is closed in the middle of a call ends it first', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    const gate = createDeferred()
    world.metastore.before = () => gate.promise
    const encrypting = session.encrypt(PLAINTEXT)
    session.close()
    gate.resolve()
    const record = await encrypting
    expect(world.crypto.open).toBe(1) // the system key: the session's own key is wiped
    expect(textOf(await createPeer(world).factory.getSession('p').decrypt(record))).toBe('4111 1111')
  })
})

describe('D-030 bounds', () => {
  it('D-030 3,000 partitions, 100 entries: open keys stay within the bound, and a key that left is loaded again', async () => {
    const world = createWorld({ sharedIntermediateKeyCache: true, intermediateKeyCacheMaxSize: 100 })
    for (let i = 0; i < 3_000; i += 1) {
      await world.factory.getSession(`p${i}`).encrypt(PLAINTEXT)
      if (i % 100 === 0) expect(world.crypto.open).toBeLessThanOrEqual(101)
    }
    expect(world.crypto.open).toBe(101)
    expect(events.cache.filter((event) => event.event === 'evict' && event.cache === 'ik')).toHaveLength(2_900)
    world.metastore.forget()
    await world.factory.getSession('p2999').encrypt(PLAINTEXT)
    expect(world.metastore.calls).toEqual([])
    await world.factory.getSession('p0').encrypt(PLAINTEXT)
    expect(world.metastore.count('loadLatest', intermediateKeyId('p0'))).toBe(1)
    expect(world.crypto.open).toBe(101)
  })

  it('D-030 uses from the cache count: the key that was used longest ago leaves', async () => {
    const world = createWorld({ sharedIntermediateKeyCache: true, intermediateKeyCacheMaxSize: 2 })
    const [a, b, c] = ['a', 'b', 'c'].map((name) => world.factory.getSession(name))
    const record = await a?.encrypt(PLAINTEXT)
    await b?.encrypt(PLAINTEXT)
    await a?.encrypt(PLAINTEXT)
    await c?.encrypt(PLAINTEXT)
    world.metastore.forget()
    await a?.encrypt(PLAINTEXT)
    if (record !== undefined) await a?.decrypt(record)
    await c?.encrypt(PLAINTEXT)
    expect(world.metastore.calls).toEqual([])
    await b?.encrypt(PLAINTEXT)
    expect(world.metastore.count('loadLatest')).toBe(1)
  })

  it('D-030 reads from the cache count as uses, too', async () => {
    const world = createWorld({ sharedIntermediateKeyCache: true, intermediateKeyCacheMaxSize: 2 })
    const a = world.factory.getSession('a')
    const record = await a.encrypt(PLAINTEXT)
    await world.factory.getSession('b').encrypt(PLAINTEXT)
    await a.decrypt(record)
    await world.factory.getSession('c').encrypt(PLAINTEXT)
    world.metastore.forget()
    await a.decrypt(record)
    expect(world.metastore.calls).toEqual([])
  })

  it('D-030 the system key cache is bounded too: old keys leave, and are loaded again when they are needed', async () => {
    const world = createWorld({ expireAfterMs: DAY, systemKeyCacheMaxSize: 2, intermediateKeyCacheMaxSize: 1 })
    const session = world.factory.getSession('p')
    const records: DataRowRecord[] = []
    for (let day = 0; day < 5; day += 1) {
      records.push(await session.encrypt(bytesOf(`${day}`)))
      world.clock.advance(DAY + MINUTE)
    }
    expect(world.crypto.open).toBe(3)
    for (const [day, record] of records.entries()) expect(textOf(await session.decrypt(record))).toBe(`${day}`)
    expect(world.crypto.open).toBe(3)
    expect(world.kms.decrypted.length).toBeGreaterThanOrEqual(3)
  })

  it('D-030 reading old records does not push the latest system key out of use', async () => {
    const world = createWorld({ expireAfterMs: DAY, systemKeyCacheMaxSize: 1, sharedIntermediateKeyCache: true })
    const session = world.factory.getSession('p')
    const old = await session.encrypt(PLAINTEXT)
    world.clock.advance(DAY + MINUTE)
    const latest = parentOf(await session.encrypt(PLAINTEXT))
    const cold = createPeer(world, { expireAfterMs: DAY, systemKeyCacheMaxSize: 1 }).factory.getSession('p')
    for (let i = 0; i < 3; i += 1) {
      await cold.decrypt(old)
      expect(parentOf(await cold.encrypt(PLAINTEXT))).toEqual(latest)
    }
    expect(world.rows.all()).toHaveLength(4)
  })

  it('the simple cache never lets a key go', async () => {
    const world = createWorld({
      sharedIntermediateKeyCache: true,
      intermediateKeyCache: simpleCache(),
      systemKeyCache: simpleCache(),
    })
    for (let i = 0; i < 1_500; i += 1) await world.factory.getSession(`p${i}`).encrypt(PLAINTEXT)
    expect(world.crypto.open).toBe(1_501)
    world.metastore.forget()
    await world.factory.getSession('p0').encrypt(PLAINTEXT)
    expect(world.metastore.calls).toEqual([])
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })
})

describe('caches that are off', () => {
  it('no cache at all: each call loads what it needs once, asks the KMS once, and leaves no key open', async () => {
    const world = createWorld({ cacheIntermediateKeys: false, cacheSystemKeys: false })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    expect(world.crypto.open).toBe(0)
    for (let i = 0; i < 3; i += 1) {
      world.metastore.forget()
      world.kms.decrypted.length = 0
      expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(parentOf(record))
      expect(world.metastore.calls.map((call) => call.method)).toEqual(['loadLatest', 'load'])
      expect(world.kms.decrypted).toHaveLength(1)
      expect(world.crypto.open).toBe(0)
      world.metastore.forget()
      expect(textOf(await session.decrypt(record))).toBe('4111 1111')
      expect(world.metastore.calls.map((call) => call.method)).toEqual(['load', 'load'])
      expect(world.kms.decrypted).toHaveLength(2)
      expect(world.crypto.open).toBe(0)
    }
    expect(world.rows.all()).toHaveLength(2)
  })

  it('a cache that admits nothing is as good as one that is off', async () => {
    const world = createWorld({ intermediateKeyCache: decliningCache(), systemKeyCache: decliningCache() })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    world.metastore.forget()
    await session.encrypt(PLAINTEXT)
    await session.decrypt(record)
    expect(world.metastore.calls.map((call) => call.method)).toEqual(['loadLatest', 'load', 'load', 'load'])
    expect(world.crypto.open).toBe(0)
  })

  it('only system keys are cached: each call reads the intermediate key, and no KMS is asked', async () => {
    const world = createWorld({ cacheIntermediateKeys: false })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    world.metastore.forget()
    await session.encrypt(PLAINTEXT)
    await session.decrypt(record)
    expect(world.metastore.calls.map((call) => call.method)).toEqual(['loadLatest', 'load'])
    expect(world.kms.decrypted).toEqual([])
    expect(world.crypto.open).toBe(1)
  })

  it('only intermediate keys are cached: the KMS is asked when one is made or loaded, not when it is used', async () => {
    const world = createWorld({ cacheSystemKeys: false })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    expect(world.crypto.open).toBe(1)
    await session.encrypt(PLAINTEXT)
    await session.decrypt(record)
    expect(world.kms.decrypted).toEqual([])
    await world.factory.getSession('q').encrypt(PLAINTEXT)
    expect(world.kms.decrypted).toHaveLength(1)
    expect(world.crypto.open).toBe(2)
    const cold = createPeer(world, { cacheSystemKeys: false })
    await cold.factory.getSession('p').encrypt(PLAINTEXT)
    expect(world.kms.decrypted).toHaveLength(2)
    expect(cold.metastore.count('load', '_SK_')).toBe(1)
  })

  it('100 concurrent calls without caches share one load', async () => {
    const world = createWorld({ cacheIntermediateKeys: false, cacheSystemKeys: false })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    world.metastore.forget()
    await Promise.all(Array.from({ length: 100 }, () => session.decrypt(record)))
    expect(world.metastore.count()).toBe(2)
    expect(world.crypto.open).toBe(0)
  })
})
