import { afterEach, describe, expect, it } from 'vitest'
import { type Cache, type CacheFactory, type CacheOptions, lruCache, simpleCache } from '../src/index.ts'
import {
  bytesOf,
  createDeferred,
  createPeer,
  createWorld,
  decliningCache,
  intermediateKeyId,
  MINUTE,
  type Recording,
  recordEvents,
  settle,
  type World,
} from './fakes.ts'

const plaintext = bytesOf('4111 1111 1111 1111')
const cached = { cacheSessions: true }

/** Whether a partition's key was loaded or made anew: the sign of another underlying session. */
async function loads(world: World, partitionId: string): Promise<boolean> {
  const before = world.metastore.count('loadLatest', intermediateKeyId(partitionId))
  const session = world.factory.getSession(partitionId)
  await session.encrypt(plaintext)
  session.close()
  return world.metastore.count('loadLatest', intermediateKeyId(partitionId)) > before
}

const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length

let events: Recording | undefined
afterEach(() => {
  events?.stop()
  events = undefined
})

describe('without a session cache', () => {
  it('each session has keys of its own', async () => {
    const world = createWorld()
    expect(await loads(world, 'p')).toBe(true)
    expect(await loads(world, 'p')).toBe(true)
    expect(world.crypto.open).toBe(1)
  })
})

describe('with one', () => {
  it('D-035 sessions of one partition share what lies beneath, at once and one after the other', async () => {
    const world = createWorld(cached)
    const sessions = Array.from({ length: 100 }, () => world.factory.getSession('p'))
    expect(new Set(sessions).size).toBe(100)
    const records = await Promise.all(sessions.map((session) => session.encrypt(plaintext)))
    expect(new Set(records.map(({ key }) => key.parentKeyMeta.created)).size).toBe(1)
    expect(world.metastore.count('loadLatest')).toBe(2)
    expect(world.metastore.count('store')).toBe(2)
    for (const session of sessions) session.close()
    expect(await loads(world, 'p')).toBe(false)
  })

  it("each close gives back one use: one caller's close does not touch the others", async () => {
    const world = createWorld(cached)
    const [one, two] = [world.factory.getSession('p'), world.factory.getSession('p')]
    const record = await one.encrypt(plaintext)
    one.close()
    one.close()
    one[Symbol.dispose]()
    world.metastore.forget()
    expect(await two.decrypt(record)).toEqual(plaintext)
    expect(world.metastore.calls).toEqual([])
    expect([one.closed, two.closed]).toEqual([true, false])
  })

  it('D-132 the bound is exact: with room for two, a, b, a, c lets b go', async () => {
    const world = createWorld({ ...cached, sessionCacheMaxSize: 2 })
    for (const id of ['a', 'b', 'a', 'c']) await loads(world, id)
    expect(await loads(world, 'a')).toBe(false)
    expect(await loads(world, 'c')).toBe(false)
    expect(await loads(world, 'b')).toBe(true)
  })

  it('one in use may leave the cache, and is never closed under its caller', async () => {
    const world = createWorld({ ...cached, sessionCacheMaxSize: 1 })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(plaintext)
    for (const id of ['q', 'r', 's']) await loads(world, id)
    world.metastore.forget()
    expect(await session.decrypt(record)).toEqual(plaintext)
    expect(world.metastore.calls).toEqual([])
    const open = world.crypto.open
    session.close()
    expect(world.crypto.open).toBe(open - 1)
  })

  it('one that left and came back is another, and closing the first does not close the second', async () => {
    const world = createWorld({ ...cached, sessionCacheMaxSize: 1 })
    const first = world.factory.getSession('p')
    await first.encrypt(plaintext)
    await loads(world, 'q')
    const second = world.factory.getSession('p')
    const record = await second.encrypt(plaintext)
    first.close()
    world.metastore.forget()
    expect(await second.decrypt(record)).toEqual(plaintext)
    second.close()
    const third = world.factory.getSession('p')
    expect(await third.decrypt(record)).toEqual(plaintext)
    expect(world.metastore.calls).toEqual([])
  })

  it('D-029 room for one, 50 partitions, a thousand calls at once: no call fails, and every key is wiped in the end', async () => {
    const world = createWorld({
      ...cached,
      sessionCacheMaxSize: 1,
      intermediateKeyCacheMaxSize: 1,
      systemKeyCacheMaxSize: 1,
    })
    world.metastore.before = () => settle()
    const calls = Array.from({ length: 1_000 }, async (_, i) => {
      const session = world.factory.getSession(`p${i % 50}`)
      const again = await session.decrypt(await session.encrypt(plaintext))
      session.close()
      return again.byteLength
    })
    expect(new Set(await Promise.all(calls))).toEqual(new Set([plaintext.byteLength]))
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })

  it('D-136 time to live slides: each use extends it', async () => {
    const world = createWorld({ ...cached, sessionCacheTtlMs: 10 * MINUTE })
    await loads(world, 'p')
    for (let i = 0; i < 6; i += 1) {
      world.clock.advance(5 * MINUTE)
      expect(await loads(world, 'p')).toBe(false)
    }
    world.clock.advance(10 * MINUTE)
    expect(await loads(world, 'p')).toBe(false)
    world.clock.advance(10 * MINUTE + 1)
    expect(await loads(world, 'p')).toBe(true)
  })

  it('one in use does not expire, however long it is used', async () => {
    const world = createWorld({ ...cached, sessionCacheTtlMs: 10 * MINUTE })
    const session = world.factory.getSession('p')
    await session.encrypt(plaintext)
    world.clock.advance(45 * MINUTE)
    expect(await loads(world, 'p')).toBe(false)
    session.close()
  })

  it('D-136 the wall clock has no say in it', async () => {
    const world = createWorld({ ...cached, sessionCacheTtlMs: 10 * MINUTE })
    await loads(world, 'p')
    world.clock.step(20 * MINUTE)
    expect(await loads(world, 'p')).toBe(false)
  })

  it('idle ones that expired are let go by later calls, without timers', async () => {
    const world = createWorld({ ...cached, sessionCacheTtlMs: MINUTE })
    for (const id of ['a', 'b', 'c', 'd', 'e']) await loads(world, id)
    const before = world.crypto.open
    const timersBefore = timers()
    world.clock.advance(2 * MINUTE)
    for (let i = 0; i < 3; i += 1) world.factory.getSession('z').close()
    expect(world.crypto.open).toBe(before - 5)
    expect(timers()).toBe(timersBefore)
  })

  it('D-036 Infinity is for ever', async () => {
    const world = createWorld({
      ...cached,
      sessionCacheTtlMs: Number.POSITIVE_INFINITY,
      revokeCheckIntervalMs: Number.POSITIVE_INFINITY,
    })
    await loads(world, 'p')
    world.clock.advance(1e9)
    expect(await loads(world, 'p')).toBe(false)
  })

  it('a refused partition is not cached', () => {
    const { factory } = createWorld({ ...cached, sessionCacheMaxSize: 1 })
    events = recordEvents()
    factory.getSession('p').close()
    for (const bad of ['', '\ud800', 'x'.repeat(5_000)]) expect(() => factory.getSession(bad)).toThrow()
    factory.getSession('p').close()
    expect(events.cache.map(({ event }) => event)).toEqual(['miss', 'hit'])
  })

  it('close of the factory wipes the keys of all of them, in use or not', async () => {
    const world = createWorld({ ...cached, sessionCacheMaxSize: 2 })
    const kept = ['a', 'b', 'c', 'd'].map((id) => world.factory.getSession(id))
    for (const session of kept) await session.encrypt(plaintext)
    kept[0]?.close()
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
    for (const session of kept) session.close()
  })

  it('sessions that are closed while a call runs give their keys back when it ends', async () => {
    const world = createWorld({ ...cached, sessionCacheMaxSize: 1 })
    const record = await world.factory.getSession('p').encrypt(plaintext)
    const peer = createPeer(world, { ...cached, sessionCacheMaxSize: 1 })
    const gate = createDeferred()
    peer.metastore.before = () => gate.promise
    const session = peer.factory.getSession('p')
    const running = session.decrypt(record)
    session.close()
    peer.factory.getSession('q').close()
    gate.resolve()
    expect(await running).toEqual(plaintext)
    await settle()
    // What is left is the system key.
    expect(peer.crypto.open).toBe(1)
  })
})

describe('caches of other kinds', () => {
  it('one that declines to admit a session does not close it under its caller', async () => {
    const world = createWorld({ ...cached, sessionCache: decliningCache() })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(plaintext)
    world.metastore.forget()
    expect(await session.decrypt(record)).toEqual(plaintext)
    expect(world.metastore.calls).toEqual([])
    session.close()
    expect(world.crypto.open).toBe(1)
  })

  it('a simple one keeps all; an lru of one’s own is asked with the size', async () => {
    const world = createWorld({ ...cached, sessionCache: simpleCache() })
    for (let i = 0; i < 1_100; i += 1) world.factory.getSession(`p${i}`).close()
    expect(await loads(world, 'p0')).toBe(true)
    expect(await loads(world, 'p0')).toBe(false)
    const sizes: number[] = []
    const watching: CacheFactory = {
      kind: 'watching',
      create<V>(options: CacheOptions<V>): Cache<V> {
        sizes.push(options.maxSize)
        return lruCache().create(options)
      },
    }
    createWorld({ ...cached, sessionCache: watching, sessionCacheMaxSize: 7 })
    expect(sizes).toEqual([7])
  })
})
