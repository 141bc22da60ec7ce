import { describe, expect, it } from 'vitest'
import { createNodeCrypto } from '../src/backend.ts'
import { type CacheFactory, ClosedError, InvalidConfigError, lruCache, SessionFactory } from '../src/index.ts'
import {
  bytesOf,
  createDeferred,
  createFakeKms,
  createFakeMetastore,
  createPeer,
  createSpyCrypto,
  createSpySecrets,
  createWorld,
  isPending,
  recordEvents,
  settle,
  until,
} from './fakes.ts'
import { minimalOptions, promiseOf, rejectionOf, thrownBy } from './harness.ts'

const plaintext = bytesOf('4111 1111 1111 1111')

describe('close', () => {
  it('D-038 waits for calls in flight, refuses new ones at once, then wipes every key', async () => {
    for (const policy of [{}, { cacheSessions: true }, { sharedIntermediateKeyCache: true }]) {
      const world = createWorld(policy)
      const { factory } = world
      const session = factory.getSession('p')
      const record = await session.encrypt(plaintext)
      const gate = createDeferred()
      world.metastore.before = () => gate.promise
      const slow = factory.getSession('q').encrypt(plaintext)
      await settle()
      const closing = factory.close()
      for (const refused of [
        session.encrypt(plaintext),
        session.encryptToJson(plaintext),
        session.decrypt(record),
        session.decrypt(JSON.stringify(record)),
        session.load('key', { load: async () => record }),
        session.store(plaintext, { store: async () => 'key' }),
      ]) {
        expect(await rejectionOf(refused)).toBeInstanceOf(ClosedError)
      }
      expect(thrownBy(() => factory.getSession('r'))).toBeInstanceOf(ClosedError)
      expect(thrownBy(() => factory.getSessionJson('r'))).toBeInstanceOf(ClosedError)
      expect(await isPending(closing)).toBe(true)
      gate.resolve()
      expect((await slow).data.byteLength).toBe(plaintext.byteLength + 28)
      await closing
      expect(world.crypto.open).toBe(0)
    }
  })

  it.each(['decrypt', 'decrypt text', 'load', 'typed load', 'encrypt', 'store', 'typed store'] as const)(
    'D-038 %s in flight ends first',
    async (kind) => {
      const world = createWorld()
      const record = await world.factory.getSession('p').encrypt(plaintext)
      const peer = createPeer(world)
      const session = peer.factory.getSession('p')
      const typed = peer.factory.getSessionBytesAsJson('p')
      const gate = createDeferred()
      peer.metastore.before = () => gate.promise
      const store = async (_key: unknown, _record: unknown): Promise<string> => 'stored'
      const wire = JSON.parse(JSON.stringify(record))
      const calls = {
        decrypt: () => session.decrypt(record),
        'decrypt text': () => session.decrypt(JSON.stringify(record)),
        // What is waited for here is the application's own store.
        load: () => session.load('key', { load: () => gate.promise.then(() => record) }),
        'typed load': () => typed.load('key', { load: () => gate.promise.then(() => wire) }),
        encrypt: () => session.encrypt(plaintext).then(() => plaintext),
        store: () => session.store(plaintext, { store }).then(() => plaintext),
        'typed store': () => typed.store('key', plaintext, { store }).then(() => plaintext),
      }
      const running = calls[kind]()
      await settle()
      const closing = peer.factory.close()
      expect(await isPending(closing)).toBe(true)
      gate.resolve()
      expect(await running).toEqual(plaintext)
      await closing
      expect(peer.crypto.open).toBe(0)
    },
  )

  it('D-038 at the deadline rejects with ClosedError and the count; what runs ends, and its key is wiped then', async () => {
    const world = createWorld()
    const gate = createDeferred()
    world.metastore.before = () => gate.promise
    const slow = ['p', 'q', 'r'].map((id) => world.factory.getSession(id).encrypt(plaintext))
    await settle()
    const error = await rejectionOf(world.factory.close({ timeoutMs: 5 }))
    expect(error).toBeInstanceOf(ClosedError)
    expect(error.message).toContain('3 operations')
    expect(error.message).toContain('5 ms')
    gate.resolve()
    expect(await Promise.all(slow)).toHaveLength(3)
    await until(() => world.crypto.open === 0, 'every key closed')
  })

  it('counts calls, not the loads that they share', async () => {
    const world = createWorld()
    const record = await world.factory.getSession('p').encrypt(plaintext)
    const peer = createPeer(world)
    const session = peer.factory.getSession('p')
    const gate = createDeferred()
    peer.metastore.before = () => gate.promise
    const slow = [session.decrypt(record), session.decrypt(record), session.encrypt(plaintext)]
    await settle()
    const error = await rejectionOf(peer.factory.close({ timeoutMs: 0 }))
    expect(error.message).toMatch(/\b3 operations still ran/)
    gate.resolve()
    await Promise.all(slow)
  })

  it('counts one as one', async () => {
    const world = createWorld()
    const gate = createDeferred()
    world.metastore.before = () => gate.promise
    const slow = world.factory.getSession('p').encrypt(plaintext)
    const error = await rejectionOf(world.factory.close({ timeoutMs: 0 }))
    expect(error.message).toMatch(/\b1 operation still ran/)
    gate.resolve()
    await slow
  })

  it('is idempotent, in parallel and afterwards', async () => {
    const { factory } = createWorld()
    const session = factory.getSession('p')
    await session.encrypt(plaintext)
    await Promise.all([factory.close(), factory.close({ timeoutMs: 1 }), factory[Symbol.asyncDispose]()])
    await factory.close()
    session.close()
    session.close()
    await factory.close()
  })

  it('is Symbol.asyncDispose', async () => {
    const world = createWorld()
    await world.factory.getSession('p').encrypt(plaintext)
    expect(world.factory[Symbol.asyncDispose]()).toBeInstanceOf(Promise)
    await world.factory[Symbol.asyncDispose]()
    expect(world.crypto.open).toBe(0)
    expect(() => world.factory.getSession('p')).toThrow(ClosedError)
  })

  it.each([
    [null],
    [7],
    ['soon'],
    [[]],
    [{ timeoutMs: Number.NaN }],
    [{ timeoutMs: -1 }],
    [{ timeoutMs: '5' }],
    [{ timeoutMs: null }],
    [{ timeout: 5 }],
  ])('refuses %j by a rejection, and closes nothing', async (options) => {
    const world = createWorld()
    expect(await rejectionOf(promiseOf(world.factory, 'close', options))).toBeInstanceOf(InvalidConfigError)
    await world.factory.getSession('p').encrypt(plaintext)
    await world.factory.close({ timeoutMs: Number.POSITIVE_INFINITY })
    expect(await rejectionOf(promiseOf(world.factory, 'close', options))).toBeInstanceOf(InvalidConfigError)
  })

  it('closes what it made, and nothing that it was given', async () => {
    const closed: string[] = []
    const metastore = { ...createFakeMetastore(), close: async () => void closed.push('metastore') }
    const kms = { ...createFakeKms(), close: async () => void closed.push('kms') }
    const secrets = createSpySecrets()
    const withSecrets = new SessionFactory({ ...minimalOptions(), metastore, kms, secrets })
    const crypto = { ...createSpyCrypto(), close: () => void closed.push('crypto') }
    const withCrypto = new SessionFactory({ ...minimalOptions(), metastore, kms, crypto })
    for (const factory of [withSecrets, withCrypto]) {
      await factory.getSession('p').encrypt(plaintext)
      await factory.close()
    }
    expect(closed).toEqual([])
    expect(secrets.closed).toBe(false)
    // Its keys are wiped all the same.
    expect(secrets.made).toBeGreaterThan(0)
    expect(secrets.open).toBe(0)
  })

  it('two factories over one provider do not close each other', async () => {
    const crypto = createSpyCrypto()
    const one = createWorld({}, { crypto })
    const two = createWorld({}, { crypto })
    const session = two.factory.getSession('p')
    await one.factory.getSession('p').encrypt(plaintext)
    const record = await session.encrypt(plaintext)
    await one.factory.close()
    expect(await session.decrypt(record)).toEqual(plaintext)
  })

  it('a cache of another kind that fails to close: every key is wiped all the same, and the process goes on', async () => {
    const failing: CacheFactory = {
      kind: 'failing',
      create: (options) =>
        Object.assign(lruCache().create(options), {
          close() {
            throw new RangeError('the cache is broken')
          },
        }),
    }
    for (const timeoutMs of [0, 1_000]) {
      const secrets = createSpySecrets()
      const crypto = createNodeCrypto({ secrets })
      const metastore = createFakeMetastore()
      const policy = { intermediateKeyCache: failing, sharedIntermediateKeyCache: true }
      const given = new SessionFactory({ ...minimalOptions(), metastore, policy, crypto })
      const own = new SessionFactory({ ...minimalOptions(), metastore: createFakeMetastore(), policy, secrets })
      await own.getSession('p').encrypt(plaintext)
      await expect(own.close()).rejects.toThrow(RangeError)
      expect(secrets.open).toBe(0)

      const events = recordEvents()
      const gate = createDeferred()
      metastore.before = () => gate.promise
      const slow = given.getSession('p').encrypt(plaintext)
      await settle()
      const closing = given.close({ timeoutMs }).catch((error: unknown) => error)
      if (timeoutMs > 0) gate.resolve()
      expect(await closing).toBeInstanceOf(Error)
      gate.resolve()
      await slow
      // A rejection that nobody handles would fail the run here.
      await settle()
      events.stop()
      expect(events.warning.map(({ code }) => code)).toEqual(timeoutMs === 0 ? ['WIPE_FAILED'] : [])
    }
  })

  it('keeps nothing alive: no timer is left', async () => {
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    const { factory } = createWorld()
    await factory.close({ timeoutMs: 60_000 })
    expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length).toBe(before)
  })
})

describe('a session that is closed', () => {
  it('D-038 refuses calls by a rejection; close is idempotent and is Symbol.dispose', async () => {
    const { factory } = createWorld()
    const record = await factory.getSession('p').encrypt(plaintext)
    const wire = JSON.parse(JSON.stringify(record))
    const sessions = [
      factory.getSession('p'),
      factory.getSessionBytes('p'),
      factory.getSessionJson('p'),
      factory.getSessionBytesAsJson('p'),
      factory.getSessionJsonAsJson('p'),
    ]
    for (const [i, session] of sessions.entries()) {
      expect(session.closed).toBe(false)
      if (i % 2 === 0) session.close()
      else session[Symbol.dispose]()
      session.close()
      session[Symbol.dispose]()
      expect(session.closed).toBe(true)
      expect(session.partitionId).toBe('p')
      const calls = [
        promiseOf(session, 'encrypt', plaintext),
        promiseOf(session, 'decrypt', wire),
        promiseOf(session, 'load', 'key', { load: async () => wire }),
        promiseOf(session, 'store', plaintext, { store: async () => 'key' }),
        ...('encryptToJson' in session ? [promiseOf(session, 'encryptToJson', plaintext)] : []),
      ]
      for (const error of await Promise.all(calls.map(rejectionOf))) expect(error).toBeInstanceOf(ClosedError)
    }
    // The others of the partition go on.
    expect(await factory.getSession('p').decrypt(record)).toEqual(plaintext)
  })

  it.each([
    ['its own keys', {}],
    ['the shared ones', { sharedIntermediateKeyCache: true }],
    ['a cached session', { cacheSessions: true }],
    ['no caches', { cacheIntermediateKeys: false, cacheSystemKeys: false }],
  ])('D-038 in the middle of its calls: they end first, with %s', async (_what, policy) => {
    const world = createWorld(policy)
    const record = await world.factory.getSession('p').encrypt(plaintext)
    const peer = createPeer(world, policy)
    const session = peer.factory.getSession('p')
    const typed = peer.factory.getSessionJson('p')
    const written = await world.factory.getSessionJson('p').encrypt({ a: 1 })
    const gate = createDeferred()
    peer.metastore.before = () => gate.promise
    const running = [
      session.decrypt(record),
      session.load('key', { load: () => gate.promise.then(() => record) }),
      session.encrypt(plaintext).then(() => plaintext),
      session.store('key', plaintext, { store: () => gate.promise.then(() => 'key') }).then(() => plaintext),
    ]
    const typedRunning = typed.load('key', { load: () => gate.promise.then(() => written) })
    await settle()
    session.close()
    typed.close()
    gate.resolve()
    for (const again of await Promise.all(running)) expect(again).toEqual(plaintext)
    expect(await typedRunning).toEqual({ a: 1 })
    await peer.factory.close()
    expect(peer.crypto.open).toBe(0)
  })

  it('wipes its own keys at once when nothing runs', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    await session.encrypt(plaintext)
    const open = world.crypto.open
    session.close()
    expect(world.crypto.open).toBe(open - 1) // the system key stays with the factory
  })
})
