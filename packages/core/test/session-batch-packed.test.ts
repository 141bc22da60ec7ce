import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, describe, expect, it } from 'vitest'
import {
  AsherahError,
  type CryptoProvider,
  channels,
  InvalidInputError,
  type PackedRows,
  parseDataRowRecord,
  type RowMeta,
  SessionFactory,
  type SessionFactoryOptions,
} from '../src/index.ts'
import {
  bytesOf,
  createDeferred,
  createFakeKms,
  createFakeMetastore,
  createSpyCrypto,
  type FakeMetastore,
  isPending,
  recordEvents,
  settle,
  textOf,
} from './fakes.ts'
import { isAllZero, minimalOptions, promiseOf, rejectionOf } from './harness.ts'

/** A provider with every fast form, as the native one has them, over core's own. */
interface FastCrypto extends CryptoProvider {
  readonly calls: string[]
  /** The buffers that it was handed and that it handed out. */
  readonly buffers: Uint8Array[]
  /** What its work on another thread waits for. */
  gate: Promise<void> | undefined
}
function createFastCrypto(): FastCrypto {
  const inner = createSpyCrypto()
  const calls: string[] = []
  const buffers: Uint8Array[] = []
  const unpack = ({ packed, ends }: PackedRows): Uint8Array[] =>
    [...ends].map((end, i) => packed.slice(i === 0 ? 0 : ends[i - 1], end))
  const pack = (items: readonly Uint8Array[]): PackedRows => {
    // As native code may answer: a Buffer, which shares its memory with others, and whose slice is a view.
    const packed = Buffer.concat(items)
    buffers.push(packed)
    let end = 0
    return { packed, ends: Uint32Array.from(items, ({ byteLength }) => (end += byteLength)) }
  }
  const textRow = (key: Parameters<CryptoProvider['encryptRow']>[0], plaintext: Uint8Array, meta: RowMeta): string => {
    const { encryptedKey, data } = inner.encryptRow(key, plaintext)
    const [wrapped, base64] = [encryptedKey, data].map((bytes) => Buffer.from(bytes).toString('base64'))
    const { keyId, created } = meta.parentKeyMeta
    return JSON.stringify({
      Key: { Created: meta.created, Key: wrapped, ParentKeyMeta: { KeyId: keyId, Created: created } },
      Data: base64,
    })
  }
  const fast: FastCrypto = {
    ...inner,
    calls,
    buffers,
    gate: undefined,
    async encryptRowJsonAsync(key, plaintext, meta) {
      calls.push('encryptRowJsonAsync')
      // As the contract has it: in this tick it takes what it needs of the key and of the plaintext.
      const text = textRow(key, plaintext, meta)
      await (fast.gate ?? settle())
      return text
    },
    encryptRowsPacked(key, packed, ends, meta) {
      calls.push('encryptRowsPacked')
      buffers.push(packed)
      return pack(unpack({ packed, ends }).map((plaintext) => bytesOf(textRow(key, plaintext, meta))))
    },
    decryptRowsPacked(key, packed, ends) {
      calls.push('decryptRowsPacked')
      return pack(
        unpack({ packed, ends }).map((text) => {
          const record = parseDataRowRecord(text)
          return inner.decryptRow(key, record.key.encryptedKey, record.data)
        }),
      )
    },
  }
  return fast
}

interface Parts {
  readonly factory: SessionFactory
  readonly crypto: FastCrypto
  readonly metastore: FakeMetastore
}
function build(options: Partial<SessionFactoryOptions> = {}, metastore = createFakeMetastore()): Parts {
  const crypto = createFastCrypto()
  const factory = new SessionFactory({ ...minimalOptions(), metastore, kms: createFakeKms(), crypto, ...options })
  return { factory, crypto, metastore }
}

const payloads = ['one', '', 'three', '4111 1111 1111 1111'].map(bytesOf)

describe('a provider with packed forms', () => {
  it('is called once for a batch, cold and warm, and what it packs is wiped', async () => {
    const { factory, crypto } = build()
    const session = factory.getSession('p')
    for (let round = 0; round < 2; round += 1) {
      crypto.calls.length = 0
      const rows = await session.encryptMany(payloads)
      const again = await session.decryptMany(rows)
      expect(again).toEqual(payloads)
      for (const bytes of again) {
        expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype)
        expect(bytes.buffer.byteLength).toBe(bytes.byteLength)
      }
      expect(crypto.calls).toEqual(['encryptRowsPacked', 'decryptRowsPacked'])
      expect(new Set(rows.map((row) => parseDataRowRecord(row).key.parentKeyMeta.keyId))).toEqual(
        new Set(['_IK_p_svc_prod']),
      )
    }
    const texts = crypto.buffers.filter((bytes) => !isAllZero(bytes)).map(textOf)
    // What is left is wire text, which is no secret.
    expect(texts.every((text) => text === '' || text.startsWith('{"Key"'))).toBe(true)
    expect(payloads.map(textOf)).toEqual(['one', '', 'three', '4111 1111 1111 1111'])
  })

  it('encrypts the bytes as they were at the call, and whatever they say of their length', async () => {
    const { factory } = build()
    const session = factory.getSession('p')
    for (let round = 0; round < 2; round += 1) {
      const mine = payloads.map((bytes) => bytes.slice())
      const running = session.encryptMany(mine)
      for (const bytes of mine) bytes.fill(0)
      expect(await session.decryptMany(await running)).toEqual(payloads)
      const lying = payloads.map((bytes) => Object.defineProperty(bytes.slice(), 'byteLength', { value: 2 }))
      expect(await session.decryptMany(await session.encryptMany(lying))).toEqual(payloads)
    }
  })

  it('D-106 with uniformErrors a batch tells no more than a single call', async () => {
    const metastore = createFakeMetastore()
    const foreign = await build({}, metastore).factory.getSession('q').encryptToJson(bytesOf('x'))
    const { factory } = build({ uniformErrors: true }, metastore)
    const session = factory.getSession('p')
    const own = await session.encryptToJson(bytesOf('x'))
    const altered = own.replace(/"Data":"..../, '"Data":"AAAA')
    const missing = own.replace(/("KeyId":"_IK_p_svc_prod","Created":)\d/, '$12')
    expect(missing).not.toBe(own)
    const seen = new Set<string>()
    for (const bad of [foreign, altered, missing]) {
      for (const batch of [[bad], [own, bad], [bad, own]]) {
        const error = await rejectionOf(session.decryptMany(batch))
        expect(error.cause).toBeUndefined()
        seen.add(`${error.code} ${error.name} ${error.message}`)
      }
    }
    expect([...seen]).toEqual([
      'ERR_ASHERAH_DECRYPTION_FAILED DecryptionError the record cannot be decrypted in this session',
    ])
  })

  it('D-001 a record of another partition fails the batch before anything is loaded', async () => {
    const metastore = createFakeMetastore()
    const foreign = await build({}, metastore).factory.getSession('q').encryptMany(payloads)
    const { factory } = build({}, metastore)
    metastore.forget()
    const error = await rejectionOf(factory.getSession('p').decryptMany(foreign))
    expect(error.code).toBe('ERR_ASHERAH_WRONG_PARTITION')
    expect(metastore.calls).toEqual([])
  })

  it('D-001 with a shared key cache, where the key of the other partition is at hand, it is refused all the same', async () => {
    for (const uniformErrors of [false, true]) {
      const { factory, crypto } = build({ policy: { sharedIntermediateKeyCache: true }, uniformErrors })
      const mine = factory.getSession('u')
      await mine.encryptMany(payloads)
      const foreign = await factory.getSession('u_svc_prod_x').encryptMany(payloads)
      expect(await factory.getSession('u_svc_prod_x').decryptMany(foreign)).toEqual(payloads)
      crypto.calls.length = 0
      const error = await rejectionOf(mine.decryptMany(foreign))
      expect(error.code).toBe(uniformErrors ? 'ERR_ASHERAH_DECRYPTION_FAILED' : 'ERR_ASHERAH_WRONG_PARTITION')
      expect(crypto.calls).toEqual([])
    }
  })

  const stops: (() => void)[] = []
  afterEach(() => {
    for (const stop of stops.splice(0)) stop()
  })
  it('each payload is traced, as by single calls', async () => {
    const { factory } = build()
    const session = factory.getSession('p')
    const [text = ''] = await session.encryptMany(payloads)
    const seen: unknown[] = []
    for (const { start } of [channels.trace.encrypt, channels.trace.decrypt]) {
      const listener = (message: unknown): void => void seen.push(message)
      subscribe(start.name, listener)
      stops.push(() => unsubscribe(start.name, listener))
    }
    await session.decryptMany(await session.encryptMany(payloads))
    // The messages are those of the start; the key was noted on them since.
    const decrypt = { partitionId: 'p', ...parseDataRowRecord(text).key.parentKeyMeta }
    const encrypts = payloads.map(({ byteLength }) => ({ ...decrypt, size: byteLength }))
    expect(seen).toEqual([...encrypts, ...payloads.map(() => decrypt)])
  })
})

describe('what a batch refuses', () => {
  const bad: [string, unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['text', 'text'],
    ['bytes', bytesOf('x')],
    ['a set', new Set([bytesOf('x')])],
    ['an array-like object', { length: 1, 0: bytesOf('x') }],
    ['an iterator', [bytesOf('x')].values()],
    ['a hole', new Array(1)],
    ['undefined in it', [undefined]],
    ['null in it', [null]],
    ['a number in it', [7]],
    ['text in it', ['text']],
    ['a batch in it', [[bytesOf('x')]]],
  ]
  it.each(bad)('%s, of both calls, with and without packed forms, warm and cold', async (_what, value) => {
    for (const options of [{}, { crypto: createSpyCrypto() }]) {
      const { factory, metastore } = build(options)
      const session = factory.getSession('p')
      for (let round = 0; round < 2; round += 1) {
        metastore.forget()
        for (const method of ['encryptMany', 'decryptMany']) {
          expect(await rejectionOf(promiseOf(session, method, value)), method).toBeInstanceOf(InvalidInputError)
        }
        expect(metastore.calls).toEqual([])
        await session.encryptMany(payloads)
      }
    }
  })

  it('a payload over the limit, by its place; and a closed session, bad options and an abort', async () => {
    const { factory, metastore } = build({ maxPlaintextBytes: 100 })
    const session = factory.getSession('p')
    const error = await rejectionOf(session.encryptMany([new Uint8Array(100), new Uint8Array(101)]))
    expect(error.message).toMatch(/payload 1 .*maxPlaintextBytes is 100/)
    expect(await rejectionOf(promiseOf(session, 'encryptMany', payloads, { timeout: 5 }))).toBeInstanceOf(
      InvalidInputError,
    )
    expect(await rejectionOf(promiseOf(session, 'decryptMany', [], null))).toBeInstanceOf(InvalidInputError)
    const aborted = { signal: AbortSignal.abort() }
    expect((await rejectionOf(session.encryptMany(payloads, aborted))).code).toBe('ERR_ASHERAH_ABORTED')
    expect(metastore.calls).toEqual([])
    session.close()
    for (const call of [session.encryptMany(payloads), session.decryptMany([])]) {
      expect((await rejectionOf(call)).code).toBe('ERR_ASHERAH_CLOSED')
    }
  })
})

describe('a provider that works off the main thread', () => {
  const long = new Uint8Array(131_072).fill(7)

  it('is given long payloads, as they were at the call', async () => {
    const { factory, crypto } = build()
    const session = factory.getSession('p')
    for (let round = 0; round < 2; round += 1) {
      const mine = long.slice()
      const running = session.encryptToJson(mine)
      mine.fill(0)
      expect(Buffer.compare(await session.decrypt(await running), long)).toBe(0)
    }
    expect(crypto.calls).toEqual(['encryptRowJsonAsync', 'encryptRowJsonAsync'])
    await session.encryptToJson(long.subarray(1))
    expect(crypto.calls).toHaveLength(2)
  })

  it('close waits for it, cold and warm', async () => {
    for (const isWarm of [false, true]) {
      const { factory, crypto } = build()
      const session = factory.getSession('p')
      if (isWarm) await session.encrypt(long)
      const gate = createDeferred()
      crypto.gate = gate.promise
      const running = session.encryptToJson(long)
      session.close()
      const closing = factory.close()
      expect(await isPending(closing)).toBe(true)
      gate.resolve()
      expect(parseDataRowRecord(await running).data.byteLength).toBe(long.byteLength + 28)
      await closing
    }
  })

  it.each([
    [undefined],
    [null],
    ['text'],
    [7],
    [{}],
    [new ArrayBuffer(200_000)],
    [new DataView(new ArrayBuffer(200_000))],
  ])('%j is refused like anywhere else', async (value) => {
    const { factory, metastore } = build()
    const error = await rejectionOf(promiseOf(factory.getSession('p'), 'encryptToJson', value))
    expect(error).toBeInstanceOf(AsherahError)
    expect(error.message).toContain('Uint8Array')
    expect(metastore.calls).toEqual([])
  })
})

it('a batch that fails publishes what a single call would', async () => {
  const metastore = createFakeMetastore()
  const foreign = await build({}, metastore).factory.getSession('q').encryptToJson(bytesOf('x'))
  const events = recordEvents()
  await rejectionOf(build({ uniformErrors: true }, metastore).factory.getSession('p').decryptMany([foreign]))
  events.stop()
  expect(events.warning).toMatchObject([{ code: 'DECRYPT_FAILED', cause: { code: 'ERR_ASHERAH_WRONG_PARTITION' } }])
})
