import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DataRowRecordJson, InvalidInputError, type JsonValue, parseDataRowRecord } from '../src/index.ts'
import { bytesOf, createPeer, createWorld, textOf } from './fakes.ts'
import { isAllZero, nameOf, promiseOf, rejectionOf } from './harness.ts'

const bytes = bytesOf('4111 1111 1111 1111')
const value: JsonValue = { card: '4111', amounts: [1, 2.5, -3e-7], more: { none: null, yes: true, '': 'é🛒\u0000' } }

/** What JSON text cannot show: that these are the same value. */
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

describe('bytes to bytes', () => {
  it('writes the wire text as bytes, and reads it', async () => {
    const world = createWorld()
    const session = world.factory.getSessionBytes('p')
    const record = await session.encrypt(bytes)
    expect(Object.getPrototypeOf(record)).toBe(Uint8Array.prototype)
    expect(textOf(record)).toMatch(/^\{"Key":\{"Created":\d+,"Key":"/)
    expect(await session.decrypt(record)).toEqual(bytes)
    expect(await createPeer(world).factory.getSession('p').decrypt(record)).toEqual(bytes)
    expect(await session.decrypt(await session.encrypt(new Uint8Array(0)))).toEqual(new Uint8Array(0))
  })
})

describe('bytes to JSON', () => {
  it('writes the wire object, and reads it', async () => {
    const world = createWorld()
    const session = world.factory.getSessionBytesAsJson('p')
    const record: DataRowRecordJson = await session.encrypt(bytes)
    expect(Object.keys(record)).toEqual(['Key', 'Data'])
    expect(record.Key.ParentKeyMeta.KeyId).toBe('_IK_p_svc_prod')
    expect(parseDataRowRecord(record).data.byteLength).toBe(bytes.byteLength + 28)
    expect(await session.decrypt(record)).toEqual(bytes)
    expect(await session.decrypt(structuredClone(record))).toEqual(bytes)
    expect(await createPeer(world).factory.getSession('p').decrypt(JSON.stringify(record))).toEqual(bytes)
  })
})

describe('JSON values', () => {
  it('come back from bytes and from objects, and are the UTF-8 of JSON.stringify in between', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    const asBytes = world.factory.getSessionJson('p')
    const asObject = world.factory.getSessionJsonAsJson('p')
    const record = await asBytes.encrypt(value)
    expect(record).toBeInstanceOf(Uint8Array)
    expect(await asBytes.decrypt(record)).toEqual(value)
    expect(textOf(await session.decrypt(record))).toBe(JSON.stringify(value))
    const object = await asObject.encrypt(value)
    expect(await asObject.decrypt(object)).toEqual(value)
    expect(textOf(await session.decrypt(object))).toBe(JSON.stringify(value))
  })

  it.each([[null], [true], [0], [''], ['text'], [[]], [{}], ['\ud800'], [[[[]]]], [1e300]])(
    '%j comes back',
    async (payload) => {
      const session = createWorld().factory.getSessionJson('p')
      expect(await session.decrypt(await session.encrypt(payload))).toEqual(payload)
    },
  )

  it('any of them comes back (property)', async () => {
    const { factory } = createWorld()
    const asBytes = factory.getSessionJson('p')
    const asObject = factory.getSessionJsonAsJson('p')
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 4 }), async (text) => {
        const payload: JsonValue = JSON.parse(text)
        expect(same(await asBytes.decrypt(await asBytes.encrypt(payload)), payload)).toBe(true)
        expect(same(await asObject.decrypt(await asObject.encrypt(payload)), payload)).toBe(true)
      }),
      { numRuns: 100 },
    )
  })

  it('names of Object.prototype are data', async () => {
    const session = createWorld().factory.getSessionJson('p')
    const payload: JsonValue = JSON.parse('{"__proto__":{"polluted":true},"toJSON":1,"constructor":2}')
    const again = await session.decrypt(await session.encrypt(payload))
    expect(JSON.stringify(again)).toBe('{"__proto__":{"polluted":true},"toJSON":1,"constructor":2}')
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  const circular: unknown[] = []
  circular.push(circular)
  const unwritable = [undefined, () => 1, Symbol('x'), 1n, { deep: [1n] }, circular, { toJSON: () => undefined }]
  it.each(unwritable.map((payload) => [nameOf(payload), payload]))(
    '%s is refused, and no key is made',
    async (_what, payload) => {
      const world = createWorld()
      const persistence = { store: async () => 'key' }
      for (const session of [world.factory.getSessionJson('p'), world.factory.getSessionJsonAsJson('p')]) {
        for (const call of [
          promiseOf(session, 'encrypt', payload),
          promiseOf(session, 'store', payload, persistence),
          promiseOf(session, 'store', 'key', payload, persistence),
        ]) {
          expect(await rejectionOf(call)).toBeInstanceOf(InvalidInputError)
        }
      }
      expect(world.metastore.calls).toEqual([])
    },
  )

  it("an error of the payload's own toJSON is the cause", async () => {
    const cause = new Error('no')
    const payload = {
      toJSON() {
        throw cause
      },
    }
    const call = promiseOf(createWorld().factory.getSessionJson('p'), 'encrypt', payload)
    expect((await rejectionOf(call)).cause).toBe(cause)
  })

  it.each([
    ['text', bytesOf('top secret 4111')],
    ['half of a value', bytesOf('{"secret":"4111"')],
    ['bytes that are no UTF-8', Uint8Array.of(0x22, 0xff, 0x22)],
    ['a byte order mark', bytesOf('\ufeff{}')],
    ['nothing', new Uint8Array(0)],
  ])('D-117 %s, written as bytes, is refused on reading, and no part of it is shown', async (_what, payload) => {
    const { factory } = createWorld()
    const record = await factory.getSessionBytes('p').encrypt(payload)
    const error = await rejectionOf(factory.getSessionJson('p').decrypt(record))
    expect(error).toBeInstanceOf(InvalidInputError)
    expect(error.cause).toBeUndefined()
    expect(`${error.stack}`).not.toMatch(/4111|secret/)
    const persistence = { load: async () => record }
    expect(await rejectionOf(factory.getSessionJson('p').load('key', persistence))).toBeInstanceOf(InvalidInputError)
  })

  it('D-100 the bytes in between are wiped, on the way in and on the way out', async () => {
    const world = createWorld()
    const seen: Uint8Array[] = []
    const { encryptRow, decryptRow } = world.crypto
    world.crypto.encryptRow = (key, plaintext) => {
      seen.push(plaintext)
      return encryptRow(key, plaintext)
    }
    world.crypto.decryptRow = (key, wrapped, data) => {
      const plaintext = decryptRow(key, wrapped, data)
      seen.push(plaintext)
      return plaintext
    }
    const session = world.factory.getSessionJson('p')
    for (let i = 0; i < 2; i += 1) await session.decrypt(await session.encrypt(value))
    await rejectionOf(session.decrypt(await world.factory.getSessionBytes('p').encrypt(bytesOf('{'))))
    expect(seen.length).toBeGreaterThanOrEqual(6)
    expect(seen.every(isAllZero)).toBe(true)
  })

  it('bytes that are handed in or out are the caller’s: they are not wiped', async () => {
    const session = createWorld().factory.getSessionBytes('p')
    const mine = bytes.slice()
    const record = await session.encrypt(mine)
    expect(mine).toEqual(bytes)
    const again = await session.decrypt(record)
    await session.decrypt(record)
    expect(again).toEqual(bytes)
  })
})

describe('every kind', () => {
  it('reads every form of a record, tells its partition, and has methods that can be handed around', async () => {
    const { factory } = createWorld()
    const record = await factory.getSessionJsonAsJson('p').encrypt(value)
    const json = factory.getSessionJson('p')
    const { encrypt, decrypt, load, store, close } = json
    for (const form of [record, JSON.stringify(record), bytesOf(JSON.stringify(record))]) {
      expect(await promiseOf(json, 'decrypt', form)).toEqual(value)
    }
    expect(json.partitionId).toBe('p')
    const rows = new Map<string, Uint8Array>()
    const persistence = {
      load: async (key: string) => rows.get(key),
      store: async (key: string | undefined, row: Uint8Array) => {
        rows.set(key ?? 'made', row)
        return key ?? 'made'
      },
    }
    expect(await store('mine', value, persistence)).toBe('mine')
    expect(await load('mine', persistence)).toEqual(value)
    expect(await decrypt(await encrypt(value))).toEqual(value)
    close()
    expect(json.closed).toBe(true)
  })

  it('of one partition share a cached session', async () => {
    const world = createWorld({ cacheSessions: true })
    await world.factory.getSessionJson('p').encrypt(value)
    world.metastore.forget()
    for (const session of [world.factory.getSessionBytes('p'), world.factory.getSessionBytesAsJson('p')]) {
      await session.encrypt(bytes)
    }
    expect(world.metastore.calls).toEqual([])
  })
})
