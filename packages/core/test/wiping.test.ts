import crypto, { Cipheriv, Decipheriv } from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHeapSecrets, createNodeCrypto } from '../src/backend.ts'
import { SessionFactory, type SessionFactoryOptions } from '../src/index.ts'
import {
  bytesOf,
  createDeferred,
  createFakeKms,
  createFakeMetastore,
  type FakeKms,
  type FakeMetastore,
  settle,
} from './fakes.ts'
import { isAllZero, minimalOptions, rejectionOf } from './harness.ts'

const plaintext = bytesOf('4111 1111 1111 1111')

/** Every memory that held, or may have held, key bytes or plaintext: the same memory, not copies. */
interface Watch {
  /** What was drawn from the system: pools, keys, nonces. */
  readonly random: Uint8Array[]
  /** Raw keys that OpenSSL was given. */
  readonly keys: Uint8Array[]
  /** Keys that were encrypted under others. */
  readonly wrapped: Uint8Array[]
  /** What was decrypted: unwrapped keys and payloads. */
  readonly opened: Uint8Array[]
}

let watch: Watch
const restore: (() => void)[] = []

/** Replaces a function of node:crypto for all who import it, and hands what it was given to `look`. */
function spy(target: object, method: string, look: (given: readonly unknown[], result: unknown) => void): void {
  const original: unknown = Reflect.get(target, method)
  if (typeof original !== 'function') throw new Error(`no ${method}`)
  Reflect.set(target, method, function (this: unknown, ...given: unknown[]): unknown {
    const result: unknown = Reflect.apply(original, this, given)
    look(given, result)
    return result
  })
  restore.push(() => Reflect.set(target, method, original))
}

beforeEach(() => {
  watch = { random: [], keys: [], wrapped: [], opened: [] }
  const keep = (list: Uint8Array[], value: unknown): void => {
    if (value instanceof Uint8Array && value.byteLength > 0) list.push(value)
  }
  spy(crypto, 'randomFillSync', ([bytes]) => keep(watch.random, bytes))
  spy(crypto, 'createSecretKey', ([bytes]) => keep(watch.keys, bytes))
  spy(crypto, 'createCipheriv', ([, key]) => keep(watch.keys, key))
  spy(crypto, 'createDecipheriv', ([, key]) => keep(watch.keys, key))
  // Payloads are the caller's, and of other lengths here.
  spy(Cipheriv.prototype, 'update', ([bytes]) => {
    if (bytes instanceof Uint8Array && bytes.byteLength === 32) watch.wrapped.push(bytes)
  })
  spy(Decipheriv.prototype, 'update', (_given, bytes) => keep(watch.opened, bytes))
  syncBuiltinESMExports()
})
afterEach(() => {
  for (const undo of restore.splice(0)) undo()
  syncBuiltinESMExports()
})

interface Parts {
  readonly factory: SessionFactory
  readonly metastore: FakeMetastore
  readonly kms: FakeKms
}
function build(
  options: Partial<SessionFactoryOptions> = {},
  metastore = createFakeMetastore(),
  kms = createFakeKms(),
): Parts {
  return { factory: new SessionFactory({ ...minimalOptions(), metastore, kms, ...options }), metastore, kms }
}

/** What is not zero, but for memory that a caller owns: the KMS's master key and its blobs' parts, and results. */
function leftOver(owned: readonly Uint8Array[]): Uint8Array[] {
  const isOwned = (bytes: Uint8Array): boolean => owned.some((one) => one.buffer === bytes.buffer)
  const all = Object.values(watch).flat()
  return all.filter((bytes) => !isAllZero(bytes) && !isOwned(bytes))
}

/** Nonces are public, and stay in no record that is gone: random memory of 12 bytes is one. */
const isNonce = (bytes: Uint8Array): boolean => bytes.byteLength === 12

describe('D-100 key bytes', () => {
  it.each([
    ['with the pool', {}],
    ['without the pool', { randomPool: false }],
    ['without caches', { policy: { cacheSystemKeys: false, cacheIntermediateKeys: false } }],
    ['with a shared cache', { policy: { sharedIntermediateKeyCache: true, cacheSessions: true } }],
  ])('every buffer that held one is zero after close, %s', async (_what, options) => {
    const master = new Uint8Array(32).fill(7)
    const { factory, metastore, kms } = build(options, createFakeMetastore(), createFakeKms(master))
    const session = factory.getSession('p')
    const records = [await session.encrypt(plaintext), JSON.parse(await session.encryptToJson(plaintext))]
    const results = await Promise.all(records.map((record) => session.decrypt(record)))
    await factory.close()
    const again = build(options, createFakeMetastore({ rows: metastore.rows }), kms)
    const cold = again.factory.getSession('p')
    results.push(await cold.decrypt(records[0]), await cold.decrypt(JSON.stringify(records[1])))
    await again.factory.close()

    expect(results).toHaveLength(4)
    expect(leftOver([master, ...results]).filter((bytes) => !isNonce(bytes))).toEqual([])
    // All that was watched: something of each kind was there.
    expect(Object.values(watch).every((list) => list.length > 0)).toBe(true)
    expect(kms.seen.length).toBeGreaterThan(1)
    expect(kms.seen.every(isAllZero)).toBe(true)
  })

  it('a data row key is zero when its call has ended, long before close', async () => {
    const { factory } = build()
    const session = factory.getSession('p')
    const record = await session.encrypt(plaintext)
    const count = [watch.keys.length, watch.opened.length]
    await session.encrypt(plaintext)
    const again = await session.decrypt(record)
    const keys = watch.keys.slice(count[0])
    const opened = watch.opened.slice(count[1])
    // Two data row keys in OpenSSL's hands; one unwrapped, and the payload.
    expect(keys.length).toBeGreaterThanOrEqual(2)
    expect(keys.every(isAllZero)).toBe(true)
    expect(opened.map(({ byteLength }) => byteLength)).toEqual([32, plaintext.byteLength])
    expect(opened.map(isAllZero)).toEqual([true, false])
    expect(again).toEqual(plaintext)
  })

  const failures: [string, (parts: Parts) => void][] = [
    [
      'the KMS fails on a new key',
      ({ kms }) => {
        kms.before = () => {
          throw new Error('no')
        }
      },
    ],
    [
      'the system key cannot be stored',
      ({ metastore }) => {
        metastore.before = ({ method }) => {
          if (method === 'store') throw new Error('no')
        }
      },
    ],
    [
      'the intermediate key cannot be stored',
      ({ metastore }) => {
        metastore.before = ({ method, keyId }) => {
          if (method === 'store' && keyId.startsWith('_IK_')) throw new Error('no')
        }
      },
    ],
    [
      'the store loses an insert to nobody',
      ({ metastore }) => {
        const { store } = metastore
        metastore.store = async (keyId, created, record, call) =>
          keyId.startsWith('_IK_') ? false : store(keyId, created, record, call)
      },
    ],
  ]
  it.each(failures)('when %s, nothing is left after close', async (_what, break_) => {
    const master = new Uint8Array(32).fill(7)
    const parts = build({}, createFakeMetastore(), createFakeKms(master))
    break_(parts)
    const session = parts.factory.getSession('p')
    await rejectionOf(session.encrypt(plaintext))
    expect(parts.kms.seen.every(isAllZero)).toBe(true)
    await parts.factory.close()
    expect(leftOver([master]).filter((bytes) => !isNonce(bytes))).toEqual([])
  })

  it('when a decrypt fails, at each level: what was unwrapped on the way is zero', async () => {
    const master = new Uint8Array(32).fill(7)
    const first = build({}, createFakeMetastore(), createFakeKms(master))
    const record = await first.factory.getSession('p').encrypt(plaintext)
    const wire = JSON.parse(JSON.stringify(record))
    const { rows } = first.metastore
    const flip = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes, (byte, i) => (i === 20 ? byte ^ 1 : byte))
    const flip64 = (text: string): string => Buffer.from(flip(Buffer.from(text, 'base64'))).toString('base64')
    const attempts: [unknown, () => void][] = [
      [{ ...wire, Data: flip64(wire.Data) }, () => {}],
      [JSON.stringify({ ...wire, Data: flip64(wire.Data) }), () => {}],
      [{ ...wire, Key: { ...wire.Key, Key: flip64(wire.Key.Key) } }, () => {}],
      [
        wire,
        () =>
          rows.edit(record.key.parentKeyMeta, {
            encryptedKey: flip(rows.of('_IK_p_svc_prod')[0]?.encryptedKey ?? plaintext),
          }),
      ],
      [
        wire,
        () => {
          first.kms.decryptKey = async () => new Uint8Array(31).fill(9)
        },
      ],
    ]
    for (const [form, prepare] of attempts) {
      prepare()
      const { factory } = build({}, createFakeMetastore({ rows }), first.kms)
      const session = factory.getSession('p')
      await rejectionOf(Reflect.apply(session.decrypt, session, [form]))
      await factory.close()
    }
    await first.factory.close()
    expect(leftOver([master]).filter((bytes) => !isNonce(bytes))).toEqual([])
    expect(watch.opened.length).toBeGreaterThan(8)
  })

  it('at the deadline of close, keys in use are zero when their call ends', async () => {
    const master = new Uint8Array(32).fill(7)
    const { factory, metastore } = build({}, createFakeMetastore(), createFakeKms(master))
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    metastore.before = ({ keyId, method }) => (keyId.startsWith('_IK_') && method === 'store' ? gate : undefined)
    const slow = factory.getSession('p').encrypt(plaintext)
    await settle()
    await rejectionOf(factory.close({ timeoutMs: 0 }))
    release()
    await slow
    await settle()
    expect(leftOver([master]).filter((bytes) => !isNonce(bytes))).toEqual([])
  })

  it('an aborted call leaves none', async () => {
    const master = new Uint8Array(32).fill(7)
    const { factory, kms } = build({}, createFakeMetastore(), createFakeKms(master))
    const abort = new AbortController()
    kms.before = (_method, signal) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('no'))))
    const running = rejectionOf(factory.getSession('p').encrypt(plaintext, { signal: abort.signal }))
    await settle()
    abort.abort()
    expect((await running).code).toBe('ERR_ASHERAH_ABORTED')
    await settle()
    expect(kms.seen.length).toBe(1)
    expect(kms.seen.every(isAllZero)).toBe(true)
    await factory.close()
    expect(leftOver([master]).filter((bytes) => !isNonce(bytes))).toEqual([])
  })

  it('a slot of the pool is zero as soon as it was used, by a row or by a wrapped key; the rest is not', () => {
    const provider = createNodeCrypto({ secrets: createHeapSecrets() })
    const key = provider.generateKey()
    provider.wrapKey(key, key)
    provider.encryptRow(key, plaintext)
    const pool = watch.random.find(({ byteLength }) => byteLength === 73 * 56)
    if (pool === undefined) throw new Error('there is no pool')
    expect(isAllZero(pool.subarray(0, 2 * 56))).toBe(true)
    expect(isAllZero(pool.subarray(2 * 56, 3 * 56))).toBe(false)
    provider.close()
  })

  it('a secret that is closed while it is used is zero when the use ends', async () => {
    const secret = createHeapSecrets().createRandom(32)
    const [bytes] = watch.random
    if (bytes === undefined) throw new Error('nothing was drawn')
    const gate = createDeferred()
    const running = secret.withBytesAsync(() => gate.promise)
    secret.withBytes(() => secret.close())
    expect(isAllZero(bytes)).toBe(false)
    gate.resolve()
    await running
    expect(isAllZero(bytes)).toBe(true)
  })

  it('the watch sees what is not wiped', () => {
    const provider = createNodeCrypto({ secrets: createHeapSecrets() })
    const key = provider.generateKey()
    provider.encryptRow(key, plaintext)
    expect(leftOver([]).filter((bytes) => !isNonce(bytes)).length).toBeGreaterThan(0)
    provider.close()
    expect(leftOver([]).filter((bytes) => !isNonce(bytes))).toEqual([])
  })
})
