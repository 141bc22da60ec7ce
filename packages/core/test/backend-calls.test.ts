import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import {
  CorruptRecordError,
  DecryptionError,
  type EnvelopeKeyRecord,
  FutureKeyError,
  InvalidInputError,
  type KeyManagementService,
  KmsError,
  type Metastore,
  MetastoreError,
  SessionFactory,
} from '../src/index.ts'
import { createKmsCalls, createMetastoreCalls } from '../src/internal/backend-calls.ts'
import { bytesOf, createFakeKms } from './fakes.ts'
import { isAllZero, minimalOptions, nameOf, rejectionOf, untyped } from './harness.ts'

const key = { keyId: '_IK_p_svc_prod', created: 1_795_251_240 }
const parentKeyMeta = { keyId: '_SK_svc_prod', created: 1_795_251_240 }
const row: EnvelopeKeyRecord = { ...key, encryptedKey: new Uint8Array(60).fill(7), revoked: false, parentKeyMeta }
const systemRow: EnvelopeKeyRecord = { ...parentKeyMeta, encryptedKey: new Uint8Array(60), revoked: true }

/** A metastore that answers each call with one value, which its type may refuse. */
const answering = (value: unknown): Metastore => ({
  load: async () => untyped(value),
  loadLatest: async () => untyped(value),
  store: async () => untyped(value),
})
const failing = (reason: unknown): Metastore & KeyManagementService => {
  const fail = () => Promise.reject(reason)
  return { load: fail, loadLatest: fail, store: fail, encryptKey: fail, decryptKey: fail }
}
const throwing = (reason: unknown): Metastore & KeyManagementService => {
  const fail = (): never => {
    throw reason
  }
  return { load: fail, loadLatest: fail, store: fail, encryptKey: fail, decryptKey: fail }
}
const allOf = (metastore: Metastore, call = {}): Promise<unknown>[] => {
  const calls = createMetastoreCalls(metastore)
  return [calls.load(key, call), calls.loadLatest(key.keyId, 2e9, call), calls.store(row, call)]
}
const kmsCallsOf = (kms: KeyManagementService, call = {}): Promise<unknown>[] => {
  const calls = createKmsCalls(kms)
  return [calls.encryptKey(new Uint8Array(32), parentKeyMeta, call), calls.decryptKey(systemRow, call)]
}

describe('a metastore', () => {
  const reasons = [new Error('down'), new TypeError('x'), 'down', undefined, null, 7, { code: 'ECONNREFUSED' }]
  it.each(reasons.map((reason) => [nameOf(reason), reason]))(
    'D-050 that fails with %s is a MetastoreError, never "not found"',
    async (_what, reason) => {
      for (const metastore of [failing(reason), throwing(reason)]) {
        for (const error of await Promise.all(allOf(metastore).map(rejectionOf))) {
          expect(error).toBeInstanceOf(MetastoreError)
          expect(error.cause).toBe(reason)
          expect(error.message).toContain(key.keyId)
        }
      }
    },
  )

  it('passes errors of this library on, but for a DecryptionError, which is about records', async () => {
    for (const own of [new CorruptRecordError('x'), new InvalidInputError('x'), new KmsError('x')]) {
      for (const error of await Promise.all(allOf(failing(own)).map(rejectionOf))) expect(error).toBe(own)
    }
    const inner = new DecryptionError('x')
    for (const error of await Promise.all(allOf(failing(inner)).map(rejectionOf))) {
      expect(error).toBeInstanceOf(MetastoreError)
      expect(error.cause).toBe(inner)
    }
  })

  it('null is "no such row"', async () => {
    const calls = createMetastoreCalls(answering(null))
    expect(await calls.load(key, {})).toBeNull()
    expect(await calls.loadLatest(key.keyId, 2e9, {})).toBeNull()
  })

  const { revoked: _, ...withoutRevoked } = row
  const malformed: unknown[] = [
    undefined,
    false,
    0,
    '',
    'row',
    [],
    {},
    { ...row, keyId: '_IK_P_svc_prod' },
    { ...row, keyId: 7 },
    { ...row, created: 0 },
    { ...row, created: '1795251240' },
    { ...row, created: Number.NaN },
    { ...row, encryptedKey: 'AAAA' },
    { ...row, encryptedKey: new Uint8Array(0) },
    { ...row, encryptedKey: null },
    withoutRevoked,
    { ...row, revoked: null },
    { ...row, revoked: 'false' },
    { ...row, parentKeyMeta: {} },
    { ...row, parentKeyMeta: { keyId: '_SK_svc_prod' } },
    { ...row, parentKeyMeta: 'x' },
    Object.defineProperty({}, 'keyId', {
      get() {
        throw new Error('no')
      },
    }),
    Object.defineProperty({ ...row }, 'created', {
      get() {
        throw new Error('no')
      },
    }),
  ]
  it.each(malformed.map((value, i) => [i, value]))(
    'D-056 a row that is there but malformed is corrupt, not missing (%i)',
    async (_i, value) => {
      const calls = createMetastoreCalls(answering(value))
      expect(await rejectionOf(calls.load(key, {}))).toBeInstanceOf(CorruptRecordError)
      expect(await rejectionOf(calls.loadLatest(key.keyId, 2e9, {}))).toBeInstanceOf(CorruptRecordError)
    },
  )

  it('a row of another created is corrupt for load', async () => {
    const calls = createMetastoreCalls(answering({ ...row, created: row.created + 1 }))
    expect(await rejectionOf(calls.load(key, {}))).toBeInstanceOf(CorruptRecordError)
    expect(await calls.loadLatest(key.keyId, 2e9, {})).toMatchObject({ created: row.created + 1 })
  })

  it('a row is copied: the store may do with its own what it likes', async () => {
    const theirs = { ...row, encryptedKey: row.encryptedKey.slice(), extra: 'x' }
    const mine = await createMetastoreCalls(answering(theirs)).load(key, {})
    theirs.encryptedKey.fill(0)
    expect(mine).toEqual(row)
  })

  it('loadLatest is given notAfter, and a row beyond it is a FutureKeyError', async () => {
    const seen: unknown[] = []
    const metastore: Metastore = {
      ...answering(null),
      loadLatest: async (_id, options) => {
        seen.push(options?.notAfter)
        return row
      },
    }
    const calls = createMetastoreCalls(metastore)
    expect(await calls.loadLatest(key.keyId, row.created, {})).toEqual(row)
    const error = await rejectionOf(calls.loadLatest(key.keyId, row.created - 1, {}))
    expect(error).toBeInstanceOf(FutureKeyError)
    expect(error.message).toContain('2026-11-21T08:54:00.000Z')
    expect(seen).toEqual([row.created, row.created - 1])
    const far = createMetastoreCalls(answering({ ...row, created: Number.MAX_SAFE_INTEGER }))
    expect(await rejectionOf(far.loadLatest(key.keyId, 1, {}))).toBeInstanceOf(FutureKeyError)
  })

  it.each([[undefined], [null], [0], [1], ['true'], [{}]])(
    'store that answers %j is a MetastoreError: only booleans are answers',
    async (answer) => {
      const error = await rejectionOf(createMetastoreCalls(answering(answer)).store(row, {}))
      expect(error).toBeInstanceOf(MetastoreError)
      expect(error.cause).toBeInstanceOf(TypeError)
    },
  )

  it('may be a class, whose methods use this', async () => {
    class Store implements Metastore {
      readonly #rows = [row]
      async load() {
        return this.#rows[0] ?? null
      }
      async loadLatest() {
        return this.#rows[0] ?? null
      }
      async store() {
        return this.#rows.length === 0
      }
    }
    const calls = createMetastoreCalls(new Store())
    expect(await calls.load(key, {})).toEqual(row)
    expect(await calls.loadLatest(key.keyId, 2e9, {})).toEqual(row)
    expect(await calls.store(row, {})).toBe(false)
  })
})

describe('a KMS', () => {
  it('that fails is a KmsError with the failure; errors of this library pass, but for a failed tag', async () => {
    for (const reason of [new Error('down'), 'down', undefined, new DecryptionError('the blob was altered')]) {
      for (const kms of [failing(reason), throwing(reason)]) {
        for (const error of await Promise.all(kmsCallsOf(kms).map(rejectionOf))) {
          expect(error).toBeInstanceOf(KmsError)
          expect(error.cause).toBe(reason)
          expect(error.message).toContain('_SK_svc_prod')
        }
      }
    }
    const own = new KmsError('all regions failed', { errors: [1, 2] })
    for (const error of await Promise.all(kmsCallsOf(failing(own)).map(rejectionOf))) expect(error).toBe(own)
  })

  it('is told the key, and whether it is revoked', async () => {
    const kms = createFakeKms()
    const calls = createKmsCalls(kms)
    const blob = await calls.encryptKey(new Uint8Array(32).fill(1), parentKeyMeta, {})
    const opened = await calls.decryptKey({ ...systemRow, encryptedKey: blob }, {})
    expect(opened).toEqual(new Uint8Array(32).fill(1))
    expect(kms.encrypted).toEqual([parentKeyMeta])
    expect(kms.decrypted).toEqual([{ ...parentKeyMeta, revoked: true }])
  })

  it.each(
    [undefined, null, '', 'blob', 7, [], {}, new ArrayBuffer(60), new Uint8Array(0)].map((value) => [
      nameOf(value),
      value,
    ]),
  )('an encryptKey that answers %s is a KmsError', async (_what, value) => {
    const kms = { ...createFakeKms(), encryptKey: async () => untyped(value) }
    const error = await rejectionOf(createKmsCalls(kms).encryptKey(new Uint8Array(32), parentKeyMeta, {}))
    expect(error).toBeInstanceOf(KmsError)
  })

  it.each(
    [undefined, null, '', 'k'.repeat(32), 7, {}, new ArrayBuffer(32), new Uint16Array(16)].map((value) => [
      nameOf(value),
      value,
    ]),
  )('a decryptKey that answers %s is a KmsError', async (_what, value) => {
    const kms = { ...createFakeKms(), decryptKey: async () => untyped(value) }
    expect(await rejectionOf(createKmsCalls(kms).decryptKey(systemRow, {}))).toBeInstanceOf(KmsError)
  })

  it.each([0, 16, 31, 33, 60])('D-100 a key of %i bytes is a KmsError, and wiped', async (length) => {
    const bytes = new Uint8Array(length).fill(7)
    const error = await rejectionOf(
      createKmsCalls({ ...createFakeKms(), decryptKey: async () => bytes }).decryptKey(systemRow, {}),
    )
    expect(error).toBeInstanceOf(KmsError)
    expect(`${error.cause}`).toContain(`not ${length}`)
    expect(isAllZero(bytes)).toBe(true)
  })

  it('the blob is copied: the KMS may reuse its memory', async () => {
    const theirs = new Uint8Array(60).fill(7)
    const blob = await createKmsCalls({ ...createFakeKms(), encryptKey: async () => theirs }).encryptKey(
      new Uint8Array(32),
      key,
      {},
    )
    theirs.fill(0)
    expect(blob).toEqual(new Uint8Array(60).fill(7))
  })

  it('may answer with a Buffer, a view of a part, or bytes of another realm', async () => {
    const realm: () => Uint8Array = runInNewContext('() => new Uint8Array(32).fill(5)')
    expect(realm() instanceof Uint8Array).toBe(false)
    const answers = [() => Buffer.alloc(32, 5), () => new Uint8Array(64).fill(5).subarray(7, 39), realm]
    for (const answer of answers) {
      const kms: KeyManagementService = { encryptKey: async () => answer(), decryptKey: async () => answer() }
      expect([...(await createKmsCalls(kms).decryptKey(systemRow, {}))]).toEqual(new Array(32).fill(5))
      const options = { ...minimalOptions(), kms }
      const record = await new SessionFactory(options).getSession('p').encrypt(bytesOf('x'))
      expect(record.data.byteLength).toBe(29)
    }
  })
})

describe('a signal', () => {
  it('is handed to each call, and what fails after it was aborted is an AbortedError with its reason', async () => {
    const reason = new Error('the client has gone')
    const abort = new AbortController()
    const seen: (AbortSignal | undefined)[] = []
    const waiting = (_a: unknown, b?: unknown, c?: unknown, d?: unknown): Promise<never> => {
      const options = [d, c, b].find(
        (one): one is { signal: AbortSignal } => typeof one === 'object' && one !== null && 'signal' in one,
      )
      seen.push(options?.signal)
      return new Promise((_, reject) => options?.signal.addEventListener('abort', () => reject(new Error('cancelled'))))
    }
    const backend = { load: waiting, loadLatest: waiting, store: waiting, encryptKey: waiting, decryptKey: waiting }
    const call = { signal: abort.signal }
    const running = [...allOf(backend, call), ...kmsCallsOf(backend, call)].map(rejectionOf)
    abort.abort(reason)
    for (const error of await Promise.all(running)) {
      expect(error).toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: reason })
    }
    expect(seen).toEqual(Array.from({ length: 5 }, () => abort.signal))
  })

  it('an answer that comes all the same is an answer', async () => {
    expect(await createMetastoreCalls(answering(row)).load(key, { signal: AbortSignal.abort() })).toEqual(row)
  })
})
