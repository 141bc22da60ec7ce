import { describe, expect, it } from 'vitest'
import { InvalidInputError } from '../src/index.ts'
import { bytesOf, createPeer, createWorld, recordEvents, type World } from './fakes.ts'
import { nameOf, promiseOf, rejectionOf, thrownBy } from './harness.ts'

const plaintext = bytesOf('4111 1111 1111 1111')

/** What a refused call must leave behind: nothing loaded, nothing stored, no key made. */
function expectUntouched({ metastore, kms, crypto }: World, calls = 0): void {
  expect(metastore.calls).toHaveLength(calls)
  expect(kms.encrypted.length + kms.decrypted.length).toBe(calls)
  expect(crypto.made).toBe(calls)
}

describe('getSession', () => {
  const kinds = [
    'getSession',
    'getSessionBytes',
    'getSessionJson',
    'getSessionBytesAsJson',
    'getSessionJsonAsJson',
  ] as const
  const bad = [
    undefined,
    null,
    '',
    7,
    true,
    1n,
    {},
    ['p'],
    Object('p'),
    bytesOf('p'),
    Symbol('p'),
    '\ud800',
    'x'.repeat(4_097),
  ]

  it.each(bad.map((value) => [nameOf(value), value]))(
    'D-004 refuses %s in the same tick, of every kind',
    (_what, value) => {
      for (const policy of [{}, { cacheSessions: true }, { cacheSessions: true, sharedIntermediateKeyCache: true }]) {
        const world = createWorld(policy)
        for (const kind of kinds) {
          const error = thrownBy(() => Reflect.apply(world.factory[kind], world.factory, [value]))
          expect(error).toBeInstanceOf(InvalidInputError)
          expect(error.message.length).toBeLessThan(200)
        }
        expectUntouched(world)
      }
    },
  )

  it('D-004 a refused partition publishes nothing, and no cache is asked for it', () => {
    const events = recordEvents()
    const { factory } = createWorld({ cacheSessions: true })
    for (const value of bad) {
      expect(() => Reflect.apply(factory.getSession, factory, [value])).toThrow(InvalidInputError)
    }
    factory.getSession('good')
    events.stop()
    expect(events.cache.map(({ cache, event, keyId }) => [cache, event, keyId])).toEqual([['session', 'miss', 'good']])
  })

  it.each([[' '], ['\u2003\t'], ['🛒'], ['\u0000'], ['x'.repeat(4_096)]])('takes %j verbatim', async (partitionId) => {
    const world = createWorld()
    const session = world.factory.getSession(partitionId)
    expect(session.partitionId).toBe(partitionId)
    const record = await session.encrypt(plaintext)
    expect(record.key.parentKeyMeta.keyId).toBe(`_IK_${partitionId}_svc_prod`)
    expect(await createPeer(world).factory.getSession(partitionId).decrypt(JSON.stringify(record))).toEqual(plaintext)
  })
})

describe('plaintexts', () => {
  const bad = [
    undefined,
    null,
    7,
    true,
    1n,
    'text',
    '',
    {},
    [1, 2, 3],
    { byteLength: 3, buffer: new ArrayBuffer(3) },
    new ArrayBuffer(3),
    new SharedArrayBuffer(3),
    new DataView(new ArrayBuffer(3)),
    new Uint8ClampedArray(3),
    new Uint16Array(3),
    new Int8Array(3),
    new Proxy(new Uint8Array(3), {}),
    Object.create(Uint8Array.prototype),
    Symbol('bytes'),
    () => new Uint8Array(3),
    Promise.resolve(new Uint8Array(3)),
  ]

  it.each(bad.map((value) => [nameOf(value), value]))(
    '%s is refused, never coerced, by a rejection',
    async (_what, value) => {
      const world = createWorld()
      const session = world.factory.getSession('p')
      const bytesSession = world.factory.getSessionBytes('p')
      const persistence = { store: async () => 'key' }
      const attempts = (): Promise<unknown>[] => [
        promiseOf(session, 'encrypt', value),
        promiseOf(session, 'encryptToJson', value),
        promiseOf(session, 'store', 'key', value, persistence),
        promiseOf(session, 'store', value, persistence),
        promiseOf(bytesSession, 'encrypt', value),
      ]
      for (const error of await Promise.all(attempts().map(rejectionOf))) {
        expect(error).toBeInstanceOf(InvalidInputError)
        expect(error.message).toContain('Uint8Array')
      }
      expectUntouched(world)
      await session.encrypt(plaintext)
      const { length } = world.metastore.calls
      for (const error of await Promise.all(attempts().map(rejectionOf)))
        expect(error).toBeInstanceOf(InvalidInputError)
      expect(world.metastore.calls).toHaveLength(length)
    },
  )

  it('over maxPlaintextBytes is refused, with the limit and a pointer to streams; at the limit it is encrypted', async () => {
    for (const limit of [0, 1, 100]) {
      const world = createWorld({}, {}, { maxPlaintextBytes: limit })
      const session = world.factory.getSession('p')
      for (const method of ['encrypt', 'encryptToJson'] as const) {
        const error = await rejectionOf(session[method](new Uint8Array(limit + 1)))
        expect(error).toBeInstanceOf(InvalidInputError)
        expect(error.message).toMatch(new RegExp(`${limit + 1} bytes.* maxPlaintextBytes is ${limit}.* stream`))
      }
      expectUntouched(world)
      expect(await session.decrypt(await session.encrypt(new Uint8Array(limit)))).toEqual(new Uint8Array(limit))
      expect(await session.decrypt(await session.encryptToJson(new Uint8Array(limit)))).toEqual(new Uint8Array(limit))
    }
  })

  it('D-090 the default limit is 64 MiB', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    const error = await rejectionOf(session.encrypt(new Uint8Array(64 * 1024 * 1024 + 1)))
    expect(error.message).toContain('67108864')
    expectUntouched(world)
  })

  it('a length that lies is not believed', async () => {
    const lying = (length: number, bytes: Uint8Array): Uint8Array =>
      Object.defineProperty(bytes, 'byteLength', { value: length })
    const session = createWorld({}, {}, { maxPlaintextBytes: 100 }).factory.getSession('p')
    for (let i = 0; i < 2; i += 1) {
      for (const length of [0, 3, 1_000, -1, Number.NaN]) {
        expect(await session.decrypt(await session.encrypt(lying(length, plaintext.slice())))).toEqual(plaintext)
        expect(await session.decrypt(await session.encryptToJson(lying(length, plaintext.slice())))).toEqual(plaintext)
      }
      expect(await rejectionOf(session.encrypt(lying(3, new Uint8Array(101))))).toBeInstanceOf(InvalidInputError)
    }
  })
})
