import { describe, expect, it } from 'vitest'
import { createHeapSecrets, createNodeCrypto, openAes256Gcm, sealAes256Gcm } from '../src/backend.ts'
import {
  ClosedError,
  type CryptoProvider,
  DecryptionError,
  InvalidInputError,
  type KeyHandle,
  parseDataRowRecord,
  type Secret,
  type SecretFactory,
} from '../src/index.ts'
import { bytesOf, createDeferred, createSpySecrets } from './fakes.ts'
import { isAllZero, rejectionOf, thrownBy } from './harness.ts'

const plaintext = bytesOf('4111 1111 1111 1111')
const raw = (): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const meta = { created: 1_795_251_290, parentKeyMeta: { keyId: '_IK_p_s_pr', created: 1_795_251_240 } }

/** Secrets as protected memory gives them: without `keyObject`. */
function withoutKeyObjects(): SecretFactory {
  const inner = createHeapSecrets()
  const strip = (secret: Secret): Secret => ({
    length: secret.length,
    get closed() {
      return secret.closed
    },
    close: () => secret.close(),
    reader: () => secret.reader(),
    withBytes: (action) => secret.withBytes(action),
    withBytesAsync: (action) => secret.withBytesAsync(action),
  })
  return {
    fromBytes: (bytes) => strip(inner.fromBytes(bytes)),
    createRandom: (length) => strip(inner.createRandom(length)),
    close: () => inner.close(),
  }
}

describe.each([
  ['heap secrets', createHeapSecrets, true],
  ['heap secrets, no random pool', createHeapSecrets, false],
  ['secrets without KeyObjects', withoutKeyObjects, true],
  ['secrets without KeyObjects, no random pool', withoutKeyObjects, false],
])('over %s', (_what, createSecrets, randomPool) => {
  const build = (): CryptoProvider => createNodeCrypto({ secrets: createSecrets(), randomPool })
  /** A provider and a key whose bytes are known. */
  const known = (): { crypto: CryptoProvider; key: KeyHandle } => {
    const crypto = build()
    return { crypto, key: crypto.importKey(raw()) }
  }

  it('a key comes in, goes to a KMS, and is wiped on both ways', async () => {
    const { crypto } = known()
    const given = raw()
    const key = crypto.importKey(given)
    expect(isAllZero(given)).toBe(true)
    const gate = createDeferred()
    const shown: Uint8Array[] = []
    const exporting = crypto.exportKey(key, async (bytes) => {
      shown.push(bytes)
      await gate.promise
      expect(bytes).toEqual(raw())
      return 'wrapped'
    })
    gate.resolve()
    expect(await exporting).toBe('wrapped')
    await expect(
      crypto.exportKey(key, async (bytes) => {
        shown.push(bytes)
        throw new RangeError('the KMS is down')
      }),
    ).rejects.toThrow(RangeError)
    expect(shown).toHaveLength(2)
    expect(shown.every(isAllZero)).toBe(true)
  })

  it('wraps and unwraps: 60 bytes that anybody with the parent can open', () => {
    const { crypto, key: parent } = known()
    const child = crypto.generateKey()
    const wrapped = crypto.wrapKey(child, parent)
    expect(wrapped.byteLength).toBe(60)
    const again = crypto.unwrapKey(wrapped, parent)
    // The same key: what one encrypts the other decrypts.
    const row = crypto.encryptRow(child, plaintext)
    expect(crypto.decryptRow(again, row.encryptedKey, row.data)).toEqual(plaintext)
    expect(openAes256Gcm(wrapped, raw()).byteLength).toBe(32)
    const other = crypto.generateKey()
    expect(thrownBy(() => crypto.unwrapKey(wrapped, other))).toBeInstanceOf(DecryptionError)
  })

  it('a row is the payload under a fresh key, and that key under the intermediate key', () => {
    const { crypto, key } = known()
    const { encryptedKey, data } = crypto.encryptRow(key, plaintext)
    const dataRowKey = openAes256Gcm(encryptedKey, raw())
    expect(openAes256Gcm(data, dataRowKey)).toEqual(plaintext)
    const rows = Array.from({ length: 200 }, () => crypto.encryptRow(key, plaintext))
    const keys = new Set(rows.map((row) => Buffer.from(openAes256Gcm(row.encryptedKey, raw())).toString('hex')))
    const nonces = rows.flatMap((row) =>
      [row.encryptedKey, row.data].map((blob) => Buffer.from(blob.slice(-12)).toString('hex')),
    )
    expect(keys.size).toBe(200)
    expect(new Set(nonces).size).toBe(400)
    // A key that somebody else made and wrapped.
    const foreign = sealAes256Gcm(raw(), raw())
    expect(crypto.decryptRow(key, foreign, sealAes256Gcm(plaintext, raw()))).toEqual(plaintext)
  })

  it('the text of a row is that of its parts, also in memory that was used before', () => {
    const { crypto, key } = known()
    if (crypto.encryptRowJson === undefined) throw new Error('there is no fast form')
    for (const length of [5_000, 0, 3, 65_508, 65_509, 100_000, 1]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i % 251)
      const text = crypto.encryptRowJson(key, bytes, meta)
      const record = parseDataRowRecord(text)
      expect(record.key.created).toBe(meta.created)
      expect(record.key.parentKeyMeta).toEqual(meta.parentKeyMeta)
      expect(JSON.stringify(record)).toBe(text)
      expect(Buffer.compare(crypto.decryptRow(key, record.key.encryptedKey, record.data), bytes)).toBe(0)
    }
    const renamed = { created: 1, parentKeyMeta: { keyId: 'a"b\\c\u0001', created: 2 } }
    expect(parseDataRowRecord(crypto.encryptRowJson(key, plaintext, renamed)).key.parentKeyMeta).toEqual(
      renamed.parentKeyMeta,
    )
    const namesake = { created: 1, parentKeyMeta: { keyId: '_IK_q_s_pr', created: meta.parentKeyMeta.created } }
    expect(parseDataRowRecord(crypto.encryptRowJson(key, plaintext, namesake)).key.parentKeyMeta).toEqual(
      namesake.parentKeyMeta,
    )
    const text = crypto.encryptRowJson(key, plaintext, meta)
    expect(parseDataRowRecord(text).key.parentKeyMeta).toEqual(meta.parentKeyMeta)
  })

  it('D-097 a row that was altered, or is of another key, is a DecryptionError', () => {
    const { crypto, key } = known()
    const { encryptedKey, data } = crypto.encryptRow(key, plaintext)
    const other = crypto.encryptRow(key, plaintext)
    for (const [wrapped, bytes] of [
      [encryptedKey, other.data],
      [other.encryptedKey, data],
      [new Uint8Array(60), data],
      [encryptedKey, new Uint8Array(28)],
    ] as const) {
      expect(thrownBy(() => crypto.decryptRow(key, wrapped, bytes))).toBeInstanceOf(DecryptionError)
    }
    expect(thrownBy(() => crypto.decryptRow(crypto.generateKey(), encryptedKey, data))).toBeInstanceOf(DecryptionError)
  })

  it.each([0, 27, 28, 59, 61, 88])('a wrapped key of %i bytes is refused', (length) => {
    const { crypto, key } = known()
    for (const use of [
      () => crypto.unwrapKey(new Uint8Array(length), key),
      () => crypto.decryptRow(key, new Uint8Array(length), new Uint8Array(28)),
    ]) {
      const error = thrownBy(use)
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toContain(`60 bytes, not ${length}`)
    }
  })

  it.each([0, 16, 31, 33])('D-100 an imported key of %i bytes is refused and wiped', (length) => {
    const bytes = new Uint8Array(length).fill(7)
    expect(thrownBy(() => build().importKey(bytes))).toBeInstanceOf(InvalidInputError)
    expect(isAllZero(bytes)).toBe(true)
  })

  it('a closed handle is a ClosedError, whatever is asked of it; close is idempotent', async () => {
    const { crypto, key } = known()
    const parent = crypto.generateKey()
    const row = crypto.encryptRow(key, plaintext)
    const wrapped = crypto.wrapKey(key, parent)
    key.close()
    key.close()
    expect([key.closed, parent.closed]).toEqual([true, false])
    for (const use of [
      () => crypto.encryptRow(key, plaintext),
      () => crypto.encryptRowJson?.(key, plaintext, meta),
      () => crypto.decryptRow(key, row.encryptedKey, row.data),
      () => crypto.wrapKey(key, parent),
      () => crypto.wrapKey(parent, key),
      () => crypto.unwrapKey(wrapped, key),
    ]) {
      expect(thrownBy(use)).toBeInstanceOf(ClosedError)
    }
    expect(await rejectionOf(crypto.exportKey(key, async () => 1))).toBeInstanceOf(ClosedError)
  })

  it("another provider's handle is refused", async () => {
    const { crypto, key } = known()
    const other = build()
    const foreign: KeyHandle[] = [other.importKey(raw()), { closed: false, close() {} }, Object.create(key)]
    const row = crypto.encryptRow(key, plaintext)
    const wrapped = crypto.wrapKey(key, key)
    for (const handle of foreign) {
      for (const use of [
        () => crypto.encryptRow(handle, plaintext),
        () => crypto.encryptRowJson?.(handle, plaintext, meta),
        () => crypto.decryptRow(handle, row.encryptedKey, row.data),
        () => crypto.wrapKey(handle, key),
        () => crypto.wrapKey(key, handle),
        () => crypto.unwrapKey(wrapped, handle),
        () => crypto.exportKey(handle, async () => 1),
      ]) {
        expect(thrownBy(use)).toBeInstanceOf(InvalidInputError)
      }
    }
  })

  it('close wipes every key that is open, and no new one is made; the secrets stay open', () => {
    const secrets = createSecrets()
    const crypto = createNodeCrypto({ secrets, randomPool })
    const keys = [crypto.generateKey(), crypto.importKey(raw())]
    crypto.close()
    crypto.close()
    expect(keys.every(({ closed }) => closed)).toBe(true)
    const bytes = raw()
    expect(thrownBy(() => crypto.generateKey())).toBeInstanceOf(ClosedError)
    expect(thrownBy(() => crypto.importKey(bytes))).toBeInstanceOf(ClosedError)
    expect(isAllZero(bytes)).toBe(true)
    expect(() => secrets.createRandom(32)).not.toThrow()
  })
})

it('D-100 what it gives to the secrets is wiped, also when a key cannot be unwrapped', () => {
  const secrets = createSpySecrets()
  const crypto = createNodeCrypto({ secrets })
  const parent = crypto.importKey(raw())
  const wrapped = crypto.wrapKey(crypto.generateKey(), parent)
  crypto.unwrapKey(wrapped, parent)
  expect(thrownBy(() => crypto.unwrapKey(wrapped, crypto.generateKey()))).toBeInstanceOf(DecryptionError)
  expect(secrets.inputs).toHaveLength(2)
  expect(secrets.inputs.every(isAllZero)).toBe(true)
  expect(secrets.open).toBe(4)
  crypto.close()
  expect(secrets.open).toBe(0)
})

it('its kind and its pool are as documented', () => {
  expect(createNodeCrypto({ secrets: createHeapSecrets() }).kind).toBe('node:crypto')
})
