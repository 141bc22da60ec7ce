import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidInputError, type Session, SessionFactory, type SessionFactoryOptions } from '../src/index.ts'
import { bytesOf, createDeferred, createPeer, createWorld } from './fakes.ts'
import { isAllZero, minimalOptions, promiseOf, rejectionOf } from './harness.ts'

const partition = 'shopper-123'
const plaintext = bytesOf('4111 1111 1111 1111')

/** Sessions over core's own crypto, and over one without the fast forms. */
const openers: [string, (partitionId?: string) => Session][] = [
  ["core's own crypto", (partitionId = partition) => new SessionFactory(minimalOptions()).getSession(partitionId)],
  ['a provider without fast forms', (partitionId = partition) => createWorld().factory.getSession(partitionId)],
]

/** Sessions that have nothing cached, for each kind of caching. */
const cachings: [string, NonNullable<SessionFactoryOptions['policy']>][] = [
  ['caches', {}],
  ['no caches', { cacheSystemKeys: false, cacheIntermediateKeys: false }],
  ['a shared key cache', { sharedIntermediateKeyCache: true }],
  ['cached sessions', { cacheSessions: true }],
]

describe.each(openers)('over %s', (_what, open) => {
  it('bytes of any length and value come back (property)', async () => {
    const session = open()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300, size: 'max' }), fc.boolean(), async (bytes, asText) => {
        const record = asText ? await session.encryptToJson(bytes) : await session.encrypt(bytes)
        const again = await session.decrypt(record)
        expect(Buffer.compare(again, bytes)).toBe(0)
        expectPlainAndUnpooled(again)
      }),
      { numRuns: 200 },
    )
  })

  it.each([0, 1, 27, 28, 4_095, 65_508, 65_509, 1_048_576])('%i bytes come back', async (length) => {
    const session = open()
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + 7) % 256)
    for (const record of [await session.encrypt(bytes), await session.encryptToJson(bytes)]) {
      const again = await session.decrypt(record)
      expect(Buffer.compare(again, bytes)).toBe(0)
      expectPlainAndUnpooled(again)
    }
  })

  it('D-094 an empty plaintext is valid: 28 bytes of data, and empty again', async () => {
    const session = open()
    const record = await session.encrypt(new Uint8Array(0))
    expect(record.data.byteLength).toBe(28)
    expect(Buffer.from(JSON.parse(await session.encryptToJson(new Uint8Array(0))).Data, 'base64').byteLength).toBe(28)
    const again = await session.decrypt(record)
    expect(again).toEqual(new Uint8Array(0))
    expectPlainAndUnpooled(again)
  })

  it('no two records of one plaintext share a key, a nonce or a ciphertext', async () => {
    const session = open()
    const parts = new Set<string>()
    for (let i = 0; i < 300; i += 1) {
      const { key, data } = await session.encrypt(plaintext)
      for (const part of [key.encryptedKey, key.encryptedKey.slice(-12), data, data.slice(-12), data.slice(0, 8)]) {
        parts.add(Buffer.from(part).toString('hex'))
      }
    }
    expect(parts.size).toBe(300 * 5)
  })

  it('encryptToJson is the text of encrypt, in the order of Go and Rust', async () => {
    const session = open('a"b\\c\u0001🛒')
    const text = await session.encryptToJson(plaintext)
    expect(text).toMatch(
      /^\{"Key":\{"Created":\d+,"Key":"[^"]{80}","ParentKeyMeta":\{"KeyId":"_IK_a\\"b\\\\c\\u0001🛒_svc_prod","Created":\d+\}\},"Data":"[^"]+"\}$/,
    )
    expect(JSON.stringify(JSON.parse(text))).toBe(text)
    expect(Object.keys(JSON.parse(JSON.stringify(await session.encrypt(plaintext))))).toEqual(['Key', 'Data'])
  })

  it("D-023 the data row key's own time is informational", async () => {
    const session = open()
    const { Key, Data } = JSON.parse(await session.encryptToJson(plaintext))
    for (const Created of [1, Key.Created + 1, Number.MAX_SAFE_INTEGER]) {
      expect(await session.decrypt({ Key: { ...Key, Created }, Data })).toEqual(plaintext)
    }
  })

  it.each([
    ['a Uint8Array', () => plaintext.slice()],
    ['a Buffer', () => Buffer.from(plaintext)],
    ['a pooled Buffer', () => Buffer.from('4111 1111 1111 1111')],
    ['a view of a part', () => Uint8Array.of(9, 9, ...plaintext, 9).subarray(2, 2 + plaintext.byteLength)],
    ['shared memory', () => fill(new Uint8Array(new SharedArrayBuffer(plaintext.byteLength)))],
    ['a part of shared memory', () => fill(new Uint8Array(new SharedArrayBuffer(64), 8, plaintext.byteLength))],
    ['a resizable buffer', () => fill(new Uint8Array(resizable(plaintext.byteLength, 64)))],
    ['a part of a resizable buffer', () => fill(new Uint8Array(resizable(40, 64), 3, plaintext.byteLength))],
    ['a growable shared buffer', () => fill(new Uint8Array(growable(plaintext.byteLength, 64)))],
    ['a subclass', () => fill(new (class Sub extends Uint8Array {})(plaintext.byteLength))],
  ])('%s: exactly the viewed bytes, cold and warm, as a record and as text', async (_what, make) => {
    const session = open()
    for (let i = 0; i < 2; i += 1) {
      expect(await session.decrypt(await session.encrypt(make()))).toEqual(plaintext)
      expect(await session.decrypt(await session.encryptToJson(make()))).toEqual(plaintext)
    }
  })
})

describe('records', () => {
  it.each(cachings)(
    'with %s: every form of a record decrypts, in this process and in another',
    async (_what, policy) => {
      const world = createWorld(policy)
      const record = await world.factory.getSession(partition).encrypt(plaintext)
      const text = JSON.stringify(record)
      const forms = [record, structuredClone(record), { ...record }, text, bytesOf(text), JSON.parse(text)]
      forms.push(JSON.stringify(JSON.parse(text), null, 2), Buffer.from(text))
      for (const { factory } of [world, createPeer(world, policy)]) {
        for (const form of forms) {
          expect(await factory.getSession(partition).decrypt(form)).toEqual(plaintext)
        }
      }
    },
  )

  it('a record is plain, unpooled bytes, and its times are those of the clock and the key', async () => {
    const { clock, factory } = createWorld()
    const session = factory.getSession(partition)
    for (let i = 0; i < 2; i += 1) {
      const { key, data } = await session.encrypt(plaintext)
      expectPlainAndUnpooled(key.encryptedKey)
      expectPlainAndUnpooled(data)
      expect(key.encryptedKey.byteLength).toBe(60)
      expect(data.byteLength).toBe(plaintext.byteLength + 28)
      expect(key.created).toBe(Math.floor(clock.now() / 1_000))
      expect(key.parentKeyMeta.keyId).toBe(`_IK_${partition}_svc_prod`)
      expect(key.parentKeyMeta.created % 60).toBe(0)
    }
  })
})

function expectPlainAndUnpooled(bytes: Uint8Array): void {
  expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
  expect(Buffer.isBuffer(bytes)).toBe(false)
  expect(bytes.buffer).toBeInstanceOf(ArrayBuffer)
  expect(bytes.byteOffset).toBe(0)
  expect(bytes.buffer.byteLength).toBe(bytes.byteLength)
}

describe('the bytes that are encrypted', () => {
  it('is what was there at the call, whatever happens to it while a key is loaded', async () => {
    const mutations: [string, () => [Uint8Array, () => void]][] = [
      ['overwritten', () => withBytes(plaintext.slice(), (bytes) => bytes.fill(0))],
      [
        'overwritten in shared memory',
        () => withBytes(fill(new Uint8Array(new SharedArrayBuffer(19))), (b) => b.fill(0)),
      ],
      ['transferred', () => withBytes(plaintext.slice(), (b) => structuredClone(b, { transfer: [b.buffer] }))],
      ['shrunk', () => withResizable((buffer) => buffer.resize(0))],
      ['grown', () => withResizable((buffer) => buffer.resize(64))],
    ]
    for (const [what, make] of mutations) {
      for (const method of ['encrypt', 'encryptToJson', 'store', 'typed'] as const) {
        const world = createWorld()
        const session = world.factory.getSession(partition)
        const typedSession = world.factory.getSessionBytesAsJson(partition)
        const gate = createDeferred()
        world.metastore.before = () => gate.promise
        const [bytes, mutate] = make()
        let stored: unknown
        const persistence = {
          store: async (_key: unknown, record: unknown) => {
            stored = record
            return 'key'
          },
        }
        const running: Promise<unknown> =
          method === 'store'
            ? session.store(bytes, persistence)
            : method === 'typed'
              ? typedSession.encrypt(bytes)
              : session[method](bytes)
        mutate()
        gate.resolve()
        const result = await running
        const record = method === 'store' ? stored : result
        expect(await promiseOf(session, 'decrypt', record), `${what}, ${method}`).toEqual(plaintext)
      }
    }
  })

  it('is not changed, and the copy that was made is wiped, also when the call fails', async () => {
    for (const fails of [false, true]) {
      const world = createWorld()
      const seen: Uint8Array[] = []
      const { encryptRow } = world.crypto
      world.crypto.encryptRow = (key, bytes) => {
        seen.push(bytes)
        if (fails) throw new Error('no')
        return encryptRow(key, bytes)
      }
      const bytes = plaintext.slice()
      await world.factory
        .getSession(partition)
        .encrypt(bytes)
        .catch(() => {})
      expect(bytes).toEqual(plaintext)
      const [copy] = seen
      if (copy === undefined) throw new Error('nothing was encrypted')
      expect(copy.buffer).not.toBe(bytes.buffer)
      expect(isAllZero(copy)).toBe(true)
    }
  })

  it('a copy of shared memory is wiped on the warm path too', async () => {
    const world = createWorld()
    const session = world.factory.getSession(partition)
    await session.encrypt(plaintext)
    const seen: Uint8Array[] = []
    const { encryptRow } = world.crypto
    world.crypto.encryptRow = (key, bytes) => {
      seen.push(bytes)
      return encryptRow(key, bytes)
    }
    const shared = fill(new Uint8Array(new SharedArrayBuffer(plaintext.byteLength)))
    await session.encrypt(shared)
    expect(seen).toHaveLength(1)
    expect(seen[0]?.buffer).not.toBe(shared.buffer)
    expect(seen.every(isAllZero)).toBe(true)
  })

  it('a record may be changed right after the call too', async () => {
    const world = createWorld()
    const { Key, Data } = JSON.parse(await world.factory.getSession(partition).encryptToJson(plaintext))
    const session = createPeer(world).factory.getSession(partition)
    const wire = { Key: { ...Key, ParentKeyMeta: { ...Key.ParentKeyMeta } }, Data }
    const text = bytesOf(JSON.stringify(wire))
    const record = await world.factory.getSession(partition).encrypt(plaintext)
    const running = [session.decrypt(wire), session.decrypt(text), session.decrypt(record)]
    Object.assign(wire.Key, { Key: '', ParentKeyMeta: null })
    text.fill(0)
    record.key.encryptedKey.fill(0)
    record.data.fill(0)
    for (const again of await Promise.all(running)) expect(again).toEqual(plaintext)
  })

  it('memory that was transferred or shrunk is refused, not taken for an empty plaintext', async () => {
    const detached = plaintext.slice()
    structuredClone(detached, { transfer: [detached.buffer] })
    const buffer = resizable(64, 64)
    const cut = new Uint8Array(buffer, 32, 16)
    buffer.resize(8)
    const session = createWorld().factory.getSession(partition)
    for (let i = 0; i < 2; i += 1) {
      for (const gone of [detached, cut]) {
        expect(gone.byteLength).toBe(0)
        for (const error of [
          await rejectionOf(session.encrypt(gone)),
          await rejectionOf(session.encryptToJson(gone)),
        ]) {
          expect(error).toBeInstanceOf(InvalidInputError)
          expect(error.message).toContain('gone')
        }
      }
      await session.encrypt(new Uint8Array(buffer, 8))
    }
  })

  it('changing a result changes no other', async () => {
    const session = createWorld().factory.getSession(partition)
    const record = await session.encrypt(plaintext)
    const { keyId } = record.key.parentKeyMeta
    Reflect.set(record.key.parentKeyMeta, 'keyId', 'changed')
    Reflect.set(record.key, 'created', 1)
    expect((await session.encrypt(plaintext)).key.parentKeyMeta.keyId).toBe(keyId)
    const first = await session.decrypt(record)
    first.fill(0)
    expect(await session.decrypt(record)).toEqual(plaintext)
    expect(await session.decrypt(record)).not.toBe(first)
  })
})

function fill<T extends Uint8Array>(bytes: T): T {
  bytes.set(plaintext)
  return bytes
}

/** The ES2023 library declares neither resizable nor growable buffers; every supported Node has both. */
type Resizable = ArrayBuffer & { resize(length: number): void }
const isResizable = (buffer: ArrayBuffer): buffer is Resizable => 'resize' in buffer
function resizable(length: number, maxByteLength: number): Resizable {
  const buffer: ArrayBuffer = Reflect.construct(ArrayBuffer, [length, { maxByteLength }])
  if (!isResizable(buffer)) throw new Error('this runtime has no resizable buffers')
  return buffer
}
function growable(length: number, maxByteLength: number): SharedArrayBuffer {
  return Reflect.construct(SharedArrayBuffer, [length, { maxByteLength }])
}
function withBytes<T extends Uint8Array>(bytes: T, mutate: (bytes: T) => unknown): [Uint8Array, () => void] {
  return [bytes, () => void mutate(bytes)]
}
function withResizable(mutate: (buffer: Resizable) => void): [Uint8Array, () => void] {
  const buffer = resizable(plaintext.byteLength, 64)
  return [fill(new Uint8Array(buffer)), () => mutate(buffer)]
}
