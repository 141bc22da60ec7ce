import { describe, expect, it } from 'vitest'
import { InvalidInputError } from '../src/index.ts'
import { bytesOf, createDeferred, createPeer, createWorld, HOUR, parentOf, settle, textOf } from './fakes.ts'
import { promiseOf, rejectionOf } from './harness.ts'

const partition = 'shopper-123'
const plaintext = bytesOf('4111 1111 1111 1111')

describe('parallel calls', () => {
  it('D-108 ten calls on one session overlap', async () => {
    const world = createWorld()
    const session = world.factory.getSession(partition)
    const records = await Promise.all(
      Array.from({ length: 10 }, async (_, i) => {
        world.clock.advance(91 * 24 * HOUR)
        return [i, await session.encrypt(bytesOf(`${i}`))] as const
      }),
    )
    // Ten different intermediate keys would be ten loads; here what counts is that all ten are asked for at once.
    const cold = createPeer(world, { cacheIntermediateKeys: false })
    const gate = createDeferred()
    let inside = 0
    cold.metastore.before = async () => {
      inside += 1
      await gate.promise
    }
    const reading = cold.factory.getSession(partition)
    const running = records.map(async ([i, record]) => expect(textOf(await reading.decrypt(record))).toBe(`${i}`))
    const other = cold.factory.getSession('other')
    const writing = other.encrypt(plaintext)
    await settle()
    // One load for each key that is needed, all before any has answered.
    expect(inside).toBe(new Set(records.map(([, record]) => parentOf(record).created)).size + 1)
    gate.resolve()
    await Promise.all([...running, writing])
  })

  it('D-107 timers fire between cold calls on a slow metastore', async () => {
    const world = createWorld()
    world.metastore.before = () => new Promise((resolve) => setTimeout(resolve, 2))
    let ticks = 0
    const timer = setInterval(() => (ticks += 1), 1)
    const partitions = Array.from({ length: 100 }, (_, i) => `partition-${i}`)
    const records = await Promise.all(partitions.map((id) => world.factory.getSession(id).encrypt(plaintext)))
    clearInterval(timer)
    expect(records).toHaveLength(100)
    expect(ticks).toBeGreaterThan(0)
  })

  it('a warm call does no I/O and settles within the tick', async () => {
    const world = createWorld()
    const session = world.factory.getSession(partition)
    const record = await session.encrypt(plaintext)
    world.metastore.forget()
    const order: string[] = []
    const calls = [
      session.encrypt(plaintext).then(() => order.push('encrypt')),
      session.encryptToJson(plaintext).then(() => order.push('encryptToJson')),
      session.decrypt(record).then(() => order.push('decrypt')),
      session.decrypt(JSON.stringify(record)).then(() => order.push('decrypt text')),
    ]
    const tick = new Promise<void>((resolve) => setImmediate(() => resolve(void order.push('next tick'))))
    await Promise.all([...calls, tick])
    expect(order.at(-1)).toBe('next tick')
    expect(world.metastore.calls).toEqual([])
  })
})

describe('an aborted call', () => {
  it('rejects with AbortedError and its reason, before anything is loaded', async () => {
    const world = createWorld()
    const session = world.factory.getSession(partition)
    const record = await world.factory.getSession(partition).encrypt(plaintext)
    const peer = createPeer(world)
    const cold = peer.factory.getSession(partition)
    const reason = new Error('the client has gone')
    const options = { signal: AbortSignal.abort(reason) }
    for (const call of [
      session.encrypt(plaintext, options),
      cold.encrypt(plaintext, options),
      cold.encryptToJson(plaintext, options),
      cold.decrypt(record, options),
      cold.load('key', { load: async () => record }, options),
      cold.store(plaintext, { store: async () => 'key' }, options),
    ]) {
      expect(await rejectionOf(call)).toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: reason })
    }
    expect(peer.metastore.calls).toEqual([])
  })

  it('while a key is loaded: rejects, leaves no key open, and does not fail the others', async () => {
    const world = createWorld()
    const gate = createDeferred()
    world.metastore.before = () => gate.promise
    const session = world.factory.getSession(partition)
    const abort = new AbortController()
    const aborted = rejectionOf(session.encrypt(plaintext, { signal: abort.signal }))
    const other = session.encrypt(plaintext)
    await settle()
    abort.abort()
    expect((await aborted).code).toBe('ERR_ASHERAH_ABORTED')
    gate.resolve()
    expect(await session.decrypt(await other)).toEqual(plaintext)
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })

  it.each([
    ['null options', null],
    ['options that are no object', 'soon'],
    ['a signal that is none', { signal: 'soon' }],
    ['a signal that is half one', { signal: { aborted: false } }],
  ])('%s are refused, and no key stays open', async (_what, options) => {
    const world = createWorld()
    const session = world.factory.getSession(partition)
    const record = await createPeer(world).factory.getSession(partition).encrypt(plaintext)
    const errors = await Promise.all([
      rejectionOf(promiseOf(session, 'encrypt', plaintext, options)),
      rejectionOf(promiseOf(session, 'encryptToJson', plaintext, options)),
      rejectionOf(promiseOf(session, 'decrypt', record, options)),
      rejectionOf(promiseOf(session, 'load', 'key', { load: async () => record }, options)),
      rejectionOf(promiseOf(session, 'store', plaintext, { store: async () => 'key' }, options)),
    ])
    for (const error of errors) expect(error).toBeInstanceOf(InvalidInputError)
    expect(world.metastore.calls).toEqual([])
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })
})
