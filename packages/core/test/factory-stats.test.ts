import { describe, expect, it } from 'vitest'
import { createHeapSecrets } from '../src/backend.ts'
import { type SecretFactory, SessionFactory } from '../src/index.ts'
import { createDeferred, createPeer, createWorld, HOUR, intermediateKeyId, PLAINTEXT, settle, until } from './fakes.ts'
import { minimalOptions } from './harness.ts'

const NOTHING = { size: 0, hits: 0, misses: 0, stale: 0, evictions: 0 }

describe('factory.stats', () => {
  it('a new factory has nothing', () => {
    expect(createWorld().factory.stats()).toEqual({
      openSessions: 0,
      operations: 0,
      openKeys: { systemKeys: 0, intermediateKeys: 0 },
      systemKeyCache: NOTHING,
      intermediateKeyCache: NOTHING,
      sessionCache: NOTHING,
      rotations: { keys: [], waiting: 0, running: 0, done: 0, failed: 0 },
      lockedBytes: undefined,
    })
  })

  it('counts misses, hits, stale entries and evictions of each cache, and the keys that are open', async () => {
    const world = createWorld({ cacheSessions: true, sessionCacheMaxSize: 2 })
    const use = async (id: string): Promise<void> => {
      using session = world.factory.getSession(id)
      await session.encrypt(PLAINTEXT)
      await session.encrypt(PLAINTEXT)
    }
    await use('a')
    await use('b')
    await use('a')
    await use('c') // pushes b out
    world.clock.advance(HOUR)
    await use('a')
    const stats = world.factory.stats()
    expect(stats.sessionCache).toEqual({ size: 2, hits: 2, misses: 3, stale: 0, evictions: 1 })
    expect(stats.intermediateKeyCache).toEqual({ size: 2, hits: 6, misses: 3, stale: 1, evictions: 0 })
    expect(stats.systemKeyCache).toEqual({ size: 1, hits: 2, misses: 1, stale: 1, evictions: 0 })
    expect(stats.openKeys).toEqual({ systemKeys: 1, intermediateKeys: 2 })
    expect(stats.openSessions).toBe(0)
    expect(world.crypto.open).toBe(3)
    await world.factory.close()
    const { openKeys, intermediateKeyCache } = world.factory.stats()
    expect(openKeys).toEqual({ systemKeys: 0, intermediateKeys: 0 })
    expect(intermediateKeyCache.size).toBe(0)
  })

  it('counts sessions until they are closed, shared or not, and operations until they end', async () => {
    for (const cacheSessions of [false, true]) {
      const world = createWorld({ cacheSessions })
      const sessions = ['a', 'a', 'b'].map((id) => world.factory.getSession(id))
      const gate = createDeferred()
      world.metastore.before = () => gate.promise
      const running = sessions.map((session) => session.encrypt(PLAINTEXT))
      expect(world.factory.stats()).toMatchObject({ openSessions: 3, operations: 3 })
      gate.resolve()
      await Promise.all(running)
      expect(world.factory.stats().operations).toBe(0)
      for (const session of sessions) {
        session.close()
        session.close()
      }
      expect(world.factory.stats().openSessions).toBe(0)
      await world.factory.close()
    }
  })

  it('without caches a key is open while an operation uses it', async () => {
    const world = createWorld({ cacheSystemKeys: false, cacheIntermediateKeys: false })
    await world.factory.getSession('p').encrypt(PLAINTEXT)
    expect(world.factory.stats()).toMatchObject({
      openKeys: { systemKeys: 0, intermediateKeys: 0 },
      intermediateKeyCache: { size: 0 },
    })
  })

  it('says what the secrets or the crypto of the factory have locked, where they can say', async () => {
    const secrets: SecretFactory = { ...createHeapSecrets(), stats: () => ({ lockedBytes: 4_096 }) }
    const locked = new SessionFactory({ ...minimalOptions(), secrets })
    expect(locked.stats().lockedBytes).toBe(4_096)
    const { crypto } = createWorld()
    const provider = new SessionFactory({
      ...minimalOptions(),
      crypto: { ...crypto, stats: () => ({ lockedBytes: 7 }) },
    })
    expect(provider.stats().lockedBytes).toBe(7)
  })

  it('shows the queue of rotations: eight run, the others wait, each once', async () => {
    const first = createWorld({ expireAfterMs: HOUR })
    const ids = Array.from({ length: 20 }, (_, i) => `p${i}`)
    for (const id of ids) await first.factory.getSession(id).encrypt(PLAINTEXT)
    const policy = { expireAfterMs: HOUR, rotation: 'queued', sharedIntermediateKeyCache: true } as const
    const world = createPeer(first, policy)
    await world.factory.warm(ids)
    first.clock.advance(HOUR + 1_000 * 60)
    const gate = createDeferred()
    world.metastore.before = ({ method }) => (method === 'store' ? gate.promise : undefined)
    for (const id of [...ids, ...ids]) await world.factory.getSession(id).encrypt(PLAINTEXT)
    await settle()
    const { rotations } = world.factory.stats()
    expect(rotations).toMatchObject({ running: 8, waiting: 12, failed: 0 })
    expect(rotations.keys.map(({ keyId }) => keyId)).toEqual(ids.map(intermediateKeyId))
    gate.resolve()
    await until(() => world.factory.stats().rotations.running === 0)
    expect(world.factory.stats().rotations).toMatchObject({ waiting: 0, done: 20, failed: 0, keys: [] })
    for (const id of ids) expect(first.rows.of(intermediateKeyId(id))).toHaveLength(2)
  })

  it('a rotation that fails is counted, and tried again later', async () => {
    const world = createWorld({ expireAfterMs: HOUR, rotation: 'queued' })
    const session = world.factory.getSession('p')
    await session.encrypt(PLAINTEXT)
    world.clock.advance(HOUR + 60_000)
    world.metastore.before = ({ method }) => {
      if (method === 'store') throw new Error('down')
    }
    await session.encrypt(PLAINTEXT)
    await settle()
    expect(world.factory.stats().rotations).toMatchObject({ failed: 1, done: 0, keys: [] })
    world.metastore.before = undefined
    world.clock.advance(1_000)
    await session.encrypt(PLAINTEXT)
    await settle()
    expect(world.factory.stats().rotations).toMatchObject({ failed: 1, done: 1, keys: [] })
  })

  it('a close drops the rotations that wait, and waits for those that run', async () => {
    const first = createWorld({ expireAfterMs: HOUR })
    const ids = Array.from({ length: 12 }, (_, i) => `p${i}`)
    for (const id of ids) await first.factory.getSession(id).encrypt(PLAINTEXT)
    const world = createPeer(first, { expireAfterMs: HOUR, rotation: 'queued', sharedIntermediateKeyCache: true })
    await world.factory.warm(ids)
    first.clock.advance(HOUR + 60_000)
    const gate = createDeferred()
    world.metastore.before = ({ method }) => (method === 'store' ? gate.promise : undefined)
    for (const id of ids) await world.factory.getSession(id).encrypt(PLAINTEXT)
    const closing = world.factory.close()
    gate.resolve()
    await closing
    expect(world.factory.stats().rotations).toMatchObject({ waiting: 0, running: 0, done: 8 })
    expect(ids.filter((id) => first.rows.of(intermediateKeyId(id)).length === 2)).toHaveLength(8)
    expect(world.crypto.open).toBe(0)
  })
})
