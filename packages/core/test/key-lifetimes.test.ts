import { describe, expect, it } from 'vitest'
import { type CryptoPolicyOptions, type DataRowRecord, simpleCache } from '../src/index.ts'
import {
  bytesOf,
  createDeferred,
  createPeer,
  createWorld,
  DAY,
  decliningCache,
  HOUR,
  intermediateKeyId,
  MINUTE,
  PLAINTEXT,
  parentOf,
  settle,
  textOf,
  until,
} from './fakes.ts'
import { recordEachTest } from './recorded-events.ts'

const events = recordEachTest()

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
