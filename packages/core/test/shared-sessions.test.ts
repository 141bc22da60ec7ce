import { describe, expect, it } from 'vitest'
import { ClosedError, simpleCache } from '../src/index.ts'
import {
  createDeferred,
  createWorld,
  decliningCache,
  HOUR,
  intermediateKeyId,
  PLAINTEXT,
  settle,
  textOf,
  type World,
} from './fakes.ts'
import { recordEachTest } from './recorded-events.ts'

const events = recordEachTest()

const loads = (world: World, partition: string) => world.metastore.count('loadLatest', intermediateKeyId(partition))

/** One call in a session that is opened and closed for it, as a web request does. */
async function request(world: World, partition: string): Promise<void> {
  const session = world.factory.getSession(partition)
  await session.encrypt(PLAINTEXT)
  session.close()
}

describe('cacheSessions', () => {
  it('without it each session has keys of its own, which are wiped with it', async () => {
    const world = createWorld()
    await request(world, 'p')
    expect(world.crypto.open).toBe(1)
    await request(world, 'p')
    expect(loads(world, 'p')).toBe(2)
  })

  it('D-036 sessions of one partition share their keys, one after the other', async () => {
    const world = createWorld({ cacheSessions: true })
    for (let i = 0; i < 5; i += 1) await request(world, 'p')
    expect(loads(world, 'p')).toBe(1)
    const found = events.cache.filter((event) => event.cache === 'session').map((event) => event.event)
    expect(found).toEqual(['miss', 'hit', 'hit', 'hit', 'hit'])
  })

  it('D-035 100 first calls at once in 100 sessions: one load', async () => {
    const world = createWorld({ cacheSessions: true })
    await Promise.all(Array.from({ length: 100 }, () => request(world, 'p')))
    expect(world.metastore.count('loadLatest')).toBe(2)
    expect(world.metastore.count('store')).toBe(2)
    expect(world.crypto.open).toBe(2)
  })

  it("one caller's close does not close the others, and each gives back one use, once", async () => {
    const world = createWorld({ cacheSessions: true, sessionCacheMaxSize: 1 })
    const [one, two] = [world.factory.getSession('p'), world.factory.getSession('p')]
    const record = await one.encrypt(PLAINTEXT)
    one.close()
    one.close()
    one.close()
    await expect(one.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(ClosedError)
    // The shared session leaves the cache; it is in use, and stays open.
    world.factory.getSession('q').close()
    expect(textOf(await two.decrypt(record))).toBe('4111 1111')
    expect(world.crypto.open).toBe(2)
    two.close()
    expect(world.crypto.open).toBe(1)
  })

  it('a session in use may leave the cache, and is closed with its last use', async () => {
    const world = createWorld({ cacheSessions: true, sessionCacheMaxSize: 1 })
    const held = world.factory.getSession('a')
    await held.encrypt(PLAINTEXT)
    await request(world, 'b')
    expect(world.crypto.open).toBe(3)
    world.metastore.forget()
    await held.encrypt(PLAINTEXT)
    expect(world.metastore.calls).toEqual([])
    held.close()
    expect(world.crypto.open).toBe(2)
  })

  it('a session that is evicted while a call runs is usable to the end of the call', async () => {
    const world = createWorld({ cacheSessions: true, sessionCacheMaxSize: 1 })
    const session = world.factory.getSession('a')
    const gate = createDeferred()
    world.metastore.before = (call) => (call.keyId === intermediateKeyId('a') ? gate.promise : undefined)
    const encrypting = session.encrypt(PLAINTEXT)
    session.close()
    await request(world, 'b')
    gate.resolve()
    expect((await encrypting).key.parentKeyMeta.keyId).toBe(intermediateKeyId('a'))
    await settle()
    expect(world.crypto.open).toBe(2)
  })

  it('D-132 room for two sessions, partitions a, b, a, c: b has left', async () => {
    const world = createWorld({ cacheSessions: true, sessionCacheMaxSize: 2 })
    for (const partition of ['a', 'b', 'a', 'c', 'a', 'c']) await request(world, partition)
    expect(['a', 'b', 'c'].map((name) => loads(world, name))).toEqual([1, 1, 1])
    expect(events.cache.filter((event) => event.cache === 'session' && event.event === 'evict')).toEqual([
      { cache: 'session', event: 'evict', keyId: 'b' },
    ])
    await request(world, 'b')
    expect(loads(world, 'b')).toBe(2)
    expect(world.crypto.open).toBe(3)
  })

  it('D-132 5,000 partitions, 10 sessions: open keys stay within the bound', async () => {
    const world = createWorld({ cacheSessions: true, sessionCacheMaxSize: 10 })
    for (let i = 0; i < 5_000; i += 1) await request(world, `p${i}`)
    expect(world.crypto.open).toBe(11)
  })

  it('a session cache that admits nothing: sessions work, and are closed with their last use', async () => {
    const world = createWorld({ cacheSessions: true, sessionCache: decliningCache() })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    expect(textOf(await session.decrypt(record))).toBe('4111 1111')
    expect(world.crypto.open).toBe(2)
    session.close()
    expect(world.crypto.open).toBe(1)
  })

  it('the simple cache never lets a session go', async () => {
    const world = createWorld({ cacheSessions: true, sessionCache: simpleCache() })
    for (let i = 0; i < 1_200; i += 1) await request(world, `p${i}`)
    world.metastore.forget()
    await request(world, 'p0')
    expect(world.metastore.calls).toEqual([])
  })
})

describe('expiry of cached sessions', () => {
  const policy = { cacheSessions: true, sessionCacheTtlMs: HOUR, revokeCheckIntervalMs: 100 * HOUR }

  it('D-136 slides: used every half time-to-live, a session lives on', async () => {
    const world = createWorld(policy)
    for (let i = 0; i < 7; i += 1) {
      await request(world, 'p')
      world.clock.advance(HOUR / 2)
    }
    expect(loads(world, 'p')).toBe(1)
  })

  it('D-136 ends one time-to-live after the last use: the next use opens a new session, the old keys are wiped', async () => {
    const world = createWorld(policy)
    await request(world, 'p')
    world.clock.advance(HOUR)
    await request(world, 'p')
    expect(loads(world, 'p')).toBe(1)
    world.clock.advance(HOUR + 1)
    await request(world, 'p')
    expect(loads(world, 'p')).toBe(2)
    expect(world.crypto.open).toBe(2)
  })

  it('D-136 a session that is in use does not expire, however long', async () => {
    const world = createWorld(policy)
    const held = world.factory.getSession('p')
    await held.encrypt(PLAINTEXT)
    world.clock.advance(10 * HOUR)
    await request(world, 'p')
    await held.encrypt(PLAINTEXT)
    expect(loads(world, 'p')).toBe(1)
    held.close()
  })

  it('D-136 the wall clock does not matter', async () => {
    const world = createWorld(policy)
    await request(world, 'p')
    world.clock.step(10 * HOUR)
    await request(world, 'p')
    expect(loads(world, 'p')).toBe(1)
  })

  it('idle sessions of other partitions leave as new ones come: no timer, no pass over all', async () => {
    const world = createWorld(policy)
    for (let i = 0; i < 10; i += 1) await request(world, `old${i}`)
    expect(world.crypto.open).toBe(11)
    world.clock.advance(HOUR + 1)
    for (let i = 0; i < 5; i += 1) await request(world, `new${i}`)
    expect(world.crypto.open).toBe(6)
  })

  it('Infinity: never', async () => {
    const world = createWorld({ ...policy, sessionCacheTtlMs: Number.POSITIVE_INFINITY })
    await request(world, 'p')
    world.clock.advance(50 * HOUR)
    await request(world, 'p')
    expect(loads(world, 'p')).toBe(1)
  })
})
