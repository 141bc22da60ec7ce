import { describe, expect, it } from 'vitest'
import { ClosedError, type CryptoPolicyOptions } from '../src/index.ts'
import { createOperations } from '../src/internal/operations.ts'
import {
  createDeferred,
  createSpyCrypto,
  createSpySecrets,
  createWorld,
  HOUR,
  intermediateKeyId,
  isPending,
  PLAINTEXT,
  settle,
  until,
} from './fakes.ts'

describe('what close wipes', () => {
  it.each([
    ['sessions of their own', {}],
    ['cached sessions', { cacheSessions: true }],
    ['cached sessions that have left the cache', { cacheSessions: true, sessionCacheMaxSize: 1 }],
    ['a shared key cache', { sharedIntermediateKeyCache: true }],
    ['both', { sharedIntermediateKeyCache: true, cacheSessions: true }],
  ])('D-038 every key, also of sessions that nobody closed: %s', async (_, policy: CryptoPolicyOptions) => {
    const world = createWorld(policy)
    const sessions = ['a', 'b', 'c'].map((name) => world.factory.getSession(name))
    for (const session of sessions) await session.encrypt(PLAINTEXT)
    expect(world.crypto.open).toBe(4)
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
    for (const session of sessions) session.close()
    expect(world.crypto.open).toBe(0)
  })

  it('D-038 at the deadline: idle keys at once, and keys in use when their call ends', async () => {
    const world = createWorld({ revokeCheckIntervalMs: HOUR, sharedIntermediateKeyCache: true })
    for (const name of ['a', 'b', 'c']) await world.factory.getSession(name).encrypt(PLAINTEXT)
    world.clock.advance(HOUR)
    const gate = createDeferred()
    world.metastore.before = () => gate.promise
    const encrypting = world.factory.getSession('a').encrypt(PLAINTEXT)
    await settle()
    await expect(world.factory.close({ timeoutMs: 1 })).rejects.toBeInstanceOf(ClosedError)
    expect(world.crypto.open).toBe(1) // the key that waits for its re-check
    gate.resolve()
    await encrypting
    await until(() => world.crypto.open === 0, 'all keys closed')
  })

  it('D-038 a key that is made after the deadline serves the call that waits for it, and is wiped', async () => {
    const world = createWorld()
    const gate = createDeferred()
    world.metastore.before = (call) => (call.method === 'store' ? gate.promise : undefined)
    const encrypting = world.factory.getSession('p').encrypt(PLAINTEXT)
    await until(() => world.metastore.count('store') === 1)
    await expect(world.factory.close({ timeoutMs: 1 })).rejects.toThrow(/\b1 operation\b/)
    gate.resolve()
    expect((await encrypting).key.parentKeyMeta.keyId).toBe(intermediateKeyId('p'))
    await until(() => world.crypto.open === 0, 'all keys closed')
    expect(world.crypto.made).toBe(2)
  })

  it('D-038 work whose callers have all left is waited for', async () => {
    const world = createWorld()
    const gate = createDeferred()
    world.metastore.before = () => gate.promise
    const abort = new AbortController()
    const call = world.factory.getSession('p').encrypt(PLAINTEXT, { signal: abort.signal })
    await settle()
    abort.abort()
    await expect(call).rejects.toThrow('aborted')
    const closing = world.factory.close()
    expect(await isPending(closing)).toBe(true)
    gate.resolve()
    await closing
    expect(world.crypto.open).toBe(0)
  })
})

describe('D-038 a close among 10,000 operations', () => {
  it.each([
    ['sessions of their own', {}],
    ['cached sessions', { cacheSessions: true, sessionCacheMaxSize: 50 }],
    ['a shared key cache', { sharedIntermediateKeyCache: true, intermediateKeyCacheMaxSize: 50 }],
    ['no caches', { cacheSystemKeys: false, cacheIntermediateKeys: false }],
  ])(
    'D-038 each completes, or rejects with the closed error, and no secret stays in use: %s',
    async (_, policy: CryptoPolicyOptions) => {
      const secrets = createSpySecrets()
      const world = createWorld(policy, { crypto: createSpyCrypto(secrets) })
      const { factory, metastore } = world
      const first = factory.getSession('p0')
      const record = await first.encrypt(PLAINTEXT)
      first.close()
      // Calls of the store answer some turns of the event loop later, so that many are under way when the close comes.
      metastore.before = () => new Promise((resolve) => setImmediate(resolve))
      let closing: Promise<void> | undefined
      let completed = 0
      let refused = 0
      const operation = async (i: number): Promise<void> => {
        if (i === 7_000) closing = factory.close()
        try {
          const session = factory.getSession(`p${i % 200}`)
          try {
            if (i % 4 === 0 && i % 200 === 0) await session.decrypt(record)
            else await session.encrypt(PLAINTEXT)
          } finally {
            session.close()
          }
          completed += 1
        } catch (error) {
          if (!(error instanceof ClosedError)) throw error
          refused += 1
        }
      }
      const operations: Promise<void>[] = []
      for (let i = 0; i < 10_000; i += 1) {
        operations.push(operation(i))
        if (i % 500 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      await Promise.all(operations)
      await closing
      expect(completed + refused).toBe(10_000)
      expect(completed).toBe(7_000)
      expect(world.crypto.open).toBe(0)
      expect(secrets.open).toBe(0)
      expect(factory.stats()).toMatchObject({
        openSessions: 0,
        operations: 0,
        openKeys: { systemKeys: 0, intermediateKeys: 0 },
      })
    },
  )
})

describe('createOperations', () => {
  it('counts operations, not the loads that they wait for', async () => {
    const operations = createOperations('thing')
    const gate = createDeferred()
    const load = operations.track(gate.promise)
    const run = operations.run(() => load)
    expect(operations.active).toBe(1)
    gate.resolve()
    await run
    expect(operations.active).toBe(0)
  })

  it('counts work that is left behind when there is nothing else', async () => {
    const operations = createOperations('thing')
    const gate = createDeferred()
    const works = [operations.track(gate.promise), operations.track(gate.promise)]
    expect(operations.active).toBe(2)
    gate.resolve()
    await Promise.all(works)
    await operations.idle()
  })

  it('is idle when both have ended, also by a failure', async () => {
    const operations = createOperations('thing')
    const [one, two] = [createDeferred(), createDeferred()]
    const run = operations.run(() => one.promise)
    const work = operations.track(two.promise)
    let idle = false
    const waiting = operations.idle().then(() => {
      idle = true
    })
    one.reject(new Error('no'))
    await expect(run).rejects.toThrow('no')
    await settle()
    expect(idle).toBe(false)
    two.reject(new Error('no'))
    await expect(work).rejects.toThrow('no')
    await waiting
  })

  it('after close: new operations are refused, work goes on', async () => {
    const operations = createOperations('thing')
    operations.close()
    expect(() => operations.check()).toThrow(ClosedError)
    await expect(operations.run(async () => 1)).rejects.toThrow('the thing is closed')
    expect(await operations.track(Promise.resolve(2))).toBe(2)
  })
})
