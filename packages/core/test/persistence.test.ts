import { describe, expect, it } from 'vitest'
import {
  adhocPersistence,
  type Call,
  type DataRowRecord,
  type DataRowRecordInput,
  InvalidInputError,
  type Persistence,
} from '../src/index.ts'
import { bytesOf, createWorld } from './fakes.ts'
import { nameOf, promiseOf, rejectionOf, thrownBy } from './harness.ts'

const payload = bytesOf('4111 1111 1111 1111')

/** A store as an application writes one: a class, whose methods use `this`. */
class MapPersistence<D> implements Persistence<D> {
  readonly rows = new Map<string, D>()
  readonly calls: [string, string | undefined, Call | undefined][] = []
  async load(key: string, options?: Call): Promise<D | undefined> {
    this.calls.push(['load', key, options])
    return this.rows.get(key)
  }
  async store(key: string | undefined, record: D, options?: Call): Promise<string> {
    this.calls.push(['store', key, options])
    const stored = key ?? `made-${this.rows.size}`
    this.rows.set(stored, record)
    return stored
  }
}

describe('store and load', () => {
  it('store without a key gives the key that the persistence made; load reads it', async () => {
    const session = createWorld().factory.getSession('p')
    const persistence = new MapPersistence<DataRowRecord>()
    const first = await session.store(payload, persistence)
    const second = await session.store(payload, persistence)
    expect([first, second]).toEqual(['made-0', 'made-1'])
    expect(await session.load(first, persistence)).toEqual(payload)
    expect(await session.load(second, persistence)).toEqual(payload)
  })

  it("store with the caller's key gives that key, and overwrites", async () => {
    const session = createWorld().factory.getSession('p')
    const persistence = new MapPersistence<DataRowRecord>()
    expect(await session.store('order-1', bytesOf('old'), persistence)).toBe('order-1')
    expect(await session.store('order-1', payload, persistence)).toBe('order-1')
    expect(persistence.rows.size).toBe(1)
    expect(await session.load('order-1', persistence)).toEqual(payload)
  })

  it('what is stored can be written as JSON, and read from that', async () => {
    const session = createWorld().factory.getSession('p')
    const files = new Map<string, string>()
    const persistence: Persistence<DataRowRecordInput> = {
      load: async (key) => files.get(key),
      store: async (key = 'k', record) => {
        files.set(key, JSON.stringify(record))
        return key
      },
    }
    await session.store(payload, persistence)
    expect(JSON.parse(files.get('k') ?? '').Key.ParentKeyMeta.KeyId).toBe('_IK_p_svc_prod')
    expect(await session.load('k', persistence)).toEqual(payload)
  })

  it.each([[undefined], [null]])('nothing there (%s) is undefined, in every kind of session', async (nothing) => {
    const { factory } = createWorld()
    const persistence = { load: async () => nothing }
    for (const session of [
      factory.getSession('p'),
      factory.getSessionBytes('p'),
      factory.getSessionJson('p'),
      factory.getSessionBytesAsJson('p'),
      factory.getSessionJsonAsJson('p'),
    ]) {
      expect(await session.load('k', persistence)).toBeUndefined()
    }
  })

  it('an empty payload is not nothing', async () => {
    const session = createWorld().factory.getSession('p')
    const persistence = new MapPersistence<DataRowRecord>()
    await session.store('k', new Uint8Array(0), persistence)
    expect(await session.load('k', persistence)).toEqual(new Uint8Array(0))
    const json = createWorld().factory.getSessionJson('p')
    const rows = new MapPersistence<Uint8Array>()
    await json.store('k', null, rows)
    expect(await json.load('k', rows)).toBeNull()
  })

  it('both forms, in every kind of session, pass the signal on', async () => {
    const { factory } = createWorld()
    const options: Call = { signal: new AbortController().signal }
    const plain = new MapPersistence<DataRowRecord>()
    const session = factory.getSession('p')
    await session.store(payload, plain, options)
    await session.store('k', payload, plain, options)
    await session.load('k', plain, options)
    const typed = factory.getSessionJson('p')
    const rows = new MapPersistence<Uint8Array>()
    await typed.store({ a: 1 }, rows, options)
    await typed.store('k', 'a string payload', rows, options)
    await typed.store('only a payload', rows)
    expect(await typed.load('k', rows, options)).toBe('a string payload')
    const shape = ({ calls }: MapPersistence<never> | MapPersistence<DataRowRecord> | MapPersistence<Uint8Array>) =>
      calls.map(([method, key, given]) => [method, key, given?.signal === options.signal])
    expect(shape(plain)).toEqual([
      ['store', undefined, true],
      ['store', 'k', true],
      ['load', 'k', true],
    ])
    expect(shape(rows)).toEqual([
      ['store', undefined, true],
      ['store', 'k', true],
      ['store', undefined, false],
      ['load', 'k', true],
    ])
  })

  it('the error of a persistence is passed on as it is', async () => {
    const { factory } = createWorld()
    const failure = new Error('the disk is full')
    const persistence = { load: () => Promise.reject(failure), store: () => Promise.reject(failure) }
    for (const session of [factory.getSession('p'), factory.getSessionBytes('p')]) {
      await expect(promiseOf(session, 'load', 'k', persistence)).rejects.toBe(failure)
      await expect(promiseOf(session, 'store', 'k', payload, persistence)).rejects.toBe(failure)
      await expect(promiseOf(session, 'store', payload, persistence)).rejects.toBe(failure)
    }
  })

  it('one that throws in the same tick, or answers without a promise, is taken too', async () => {
    const session = createWorld().factory.getSession('p')
    const record = await session.encrypt(payload)
    const failure = new Error('no')
    const throwing = {
      load: () => {
        throw failure
      },
    }
    await expect(session.load('k', throwing)).rejects.toBe(failure)
    expect(await promiseOf(session, 'load', 'k', { load: () => record })).toEqual(payload)
    expect(await promiseOf(session, 'store', payload, { store: () => 'k' })).toBe('k')
  })

  it("another partition's record is refused", async () => {
    const { factory } = createWorld()
    const persistence = new MapPersistence<DataRowRecord>()
    await factory.getSession('p').store('k', payload, persistence)
    expect((await rejectionOf(factory.getSession('q').load('k', persistence))).code).toBe('ERR_ASHERAH_WRONG_PARTITION')
  })

  it('what a persistence gives that is no record is refused', async () => {
    const session = createWorld().factory.getSession('p')
    for (const found of ['', 'x', 7, false, {}, new Uint8Array(0)]) {
      const error = await rejectionOf(promiseOf(session, 'load', 'k', { load: async () => found }))
      expect(error).toBeInstanceOf(InvalidInputError)
    }
  })
})

describe('mistaken arguments', () => {
  const good = new MapPersistence<unknown>()
  const noPersistence = [undefined, null, 7, 'p', {}, [], () => {}, { load: 1, store: 1 }]

  it.each(noPersistence.map((value) => [nameOf(value), value]))('%s is no persistence', async (_what, value) => {
    const world = createWorld()
    for (const session of [world.factory.getSession('p'), world.factory.getSessionJson('p')]) {
      for (const call of [
        promiseOf(session, 'load', 'k', value),
        promiseOf(session, 'store', payload, value),
        promiseOf(session, 'store', 'k', payload, value),
      ]) {
        const error = await rejectionOf(call)
        expect(error).toBeInstanceOf(InvalidInputError)
        expect(error.message).toMatch(/persistence/)
      }
    }
    expect(world.metastore.calls).toEqual([])
  })

  it.each([[undefined], [null], [''], [7], [{}]])('%j is no key', async (key) => {
    const world = createWorld()
    for (const session of [world.factory.getSession('p'), world.factory.getSessionJson('p')]) {
      for (const call of [promiseOf(session, 'load', key, good), promiseOf(session, 'store', key, payload, good)]) {
        const error = await rejectionOf(call)
        expect(error).toBeInstanceOf(InvalidInputError)
        expect(error.message).toMatch(/key/)
      }
    }
    expect(world.metastore.calls).toEqual([])
    expect(good.rows.size).toBe(0)
  })

  it.each([[[]], [['k']], [[payload]], [['k', payload]], [[good]]])('store%j is refused', async (given) => {
    const session = createWorld().factory.getSession('p')
    expect(await rejectionOf(promiseOf(session, 'store', ...given))).toBeInstanceOf(InvalidInputError)
  })
})

describe('adhocPersistence', () => {
  it('makes one of two functions; without a key it makes a random UUID', async () => {
    const rows = new Map<string, DataRowRecord>()
    const persistence = adhocPersistence<DataRowRecord>(
      async (key) => rows.get(key),
      async (key, record) => void rows.set(key, record),
    )
    const session = createWorld().factory.getSession('p')
    const keys = [await session.store(payload, persistence), await session.store(payload, persistence)]
    for (const key of keys) {
      expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(await session.load(key, persistence)).toEqual(payload)
    }
    expect(new Set(keys).size).toBe(2)
    expect(await session.store('mine', payload, persistence)).toBe('mine')
    expect(await session.load('nothing there', persistence)).toBeUndefined()
    expect([...rows.keys()]).toEqual([...keys, 'mine'])
  })

  it('passes the options on, and the failures', async () => {
    const seen: unknown[] = []
    const failure = new Error('no')
    const persistence = adhocPersistence<unknown>(
      async (_key, options) => void seen.push(options),
      async (_key, _record, options) => {
        seen.push(options)
        throw failure
      },
    )
    const options = { signal: new AbortController().signal }
    await persistence.load('k', options)
    await expect(persistence.store(undefined, {}, options)).rejects.toBe(failure)
    expect(seen).toEqual([options, options])
  })

  it.each([
    ['no functions', []],
    ['one function', [async () => null]],
    ['objects', [{}, {}]],
    ['null', [async () => null, null]],
  ])('%s are refused', (_what, given) => {
    expect(thrownBy(() => Reflect.apply(adhocPersistence, undefined, given))).toBeInstanceOf(InvalidInputError)
  })
})
