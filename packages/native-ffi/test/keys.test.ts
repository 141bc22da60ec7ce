import { type CryptoProvider, InvalidInputError, type KeyHandle } from '@asherah/core/backend'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createNativeCrypto, nativeStatus } from '../src/index.ts'
import { nativeBinary } from './support/native-build.ts'

const META = { created: 1_795_251_290, parentKeyMeta: { keyId: '_IK_p_s_pr', created: 1_795_251_240 } }

describe.skipIf(nativeBinary() === undefined)('keys and calls of the native code', () => {
  let crypto: CryptoProvider
  beforeAll(() => {
    crypto = createNativeCrypto({ mode: 'required' })
  })
  afterAll(() => crypto?.close())

  test('a closed handle stays closed when its place is used again', () => {
    const first = crypto.generateKey()
    const row = crypto.encryptRow(first, Buffer.from('first'))
    first.close()
    const later = Array.from({ length: 10 }, () => crypto.generateKey())
    expect(() => crypto.decryptRow(first, row.encryptedKey, row.data)).toThrow('the key handle is closed')
    first.close()
    for (const key of later) {
      expect(key.closed).toBe(false)
      expect(() => crypto.decryptRow(key, row.encryptedKey, row.data)).toThrow('does not verify')
      key.close()
    }
  })

  test('a key that is closed while its row is encrypted elsewhere does not disturb it', async () => {
    const parent = crypto.generateKey()
    const key = crypto.generateKey()
    const wrapped = crypto.wrapKey(key, parent)
    const plaintext = new Uint8Array(300_000).fill(7)
    const writing = crypto.encryptRowJsonAsync?.(key, plaintext, META)
    key.close()
    plaintext.fill(8)
    const json = (await writing) ?? ''
    const again = crypto.unwrapKey(wrapped, parent)
    const { Key, Data } = JSON.parse(json)
    const opened = await crypto.decryptRowAsync?.(again, Buffer.from(Key.Key, 'base64'), Buffer.from(Data, 'base64'))
    expect(Buffer.from(opened ?? []).equals(Buffer.alloc(300_000, 7))).toBe(true)
  })

  test('a payload that is transferred away meanwhile is encrypted as it was', async () => {
    const key = crypto.generateKey()
    const plaintext = new Uint8Array(500_000).fill(9)
    const writing = crypto.encryptRowJsonAsync?.(key, plaintext, META)
    structuredClone(plaintext, { transfer: [plaintext.buffer] })
    expect(plaintext.byteLength).toBe(0)
    const { Key, Data } = JSON.parse((await writing) ?? '')
    const data = crypto.decryptRow(key, Buffer.from(Key.Key, 'base64'), Buffer.from(Data, 'base64'))
    expect(Buffer.from(data).equals(Buffer.alloc(500_000, 9))).toBe(true)
  })

  test('a provider that is closed with work under way ends that work, and no more', async () => {
    const own = createNativeCrypto({ mode: 'required' })
    const key = own.generateKey()
    const writing = Array.from({ length: 30 }, () => own.encryptRowJsonAsync?.(key, new Uint8Array(200_000), META))
    own.close()
    const rows = await Promise.allSettled(writing)
    expect(rows.every(({ status }) => status === 'fulfilled')).toBe(true)
    await expect(own.encryptRowJsonAsync?.(key, new Uint8Array(200_000), META)).rejects.toThrow('is closed')
  })

  test('many rows at once, of every size, are each right', async () => {
    const key = crypto.generateKey()
    const sizes = Array.from({ length: 120 }, (_, i) => (i % 3 === 0 ? i : i * 5_000))
    const rows = await Promise.all(
      sizes.map((size, i) => crypto.encryptRowJsonAsync?.(key, new Uint8Array(size).fill(i), META)),
    )
    const opened = await Promise.all(
      rows.map((json = '') => {
        const { Key, Data } = JSON.parse(json)
        return crypto.decryptRowAsync?.(key, Buffer.from(Key.Key, 'base64'), Buffer.from(Data, 'base64'))
      }),
    )
    opened.forEach((plaintext, i) => {
      expect(Buffer.from(plaintext ?? []).equals(Buffer.alloc(sizes[i] ?? 0, i))).toBe(true)
    })
  })

  test('texts with other ids follow each other under one key', () => {
    const key = crypto.generateKey()
    for (const keyId of ['_IK_a_s_p', '_IK_é_s_p', '_IK_€😀_s_p', '_IK_a_s_p', '_IK_"\\\u0001_s_p']) {
      for (const created of [1, 1_795_251_240]) {
        const json = crypto.encryptRowJson?.(key, Buffer.from('x'), { created: 5, parentKeyMeta: { keyId, created } })
        expect(JSON.parse(json ?? '').Key).toMatchObject({
          Created: 5,
          ParentKeyMeta: { KeyId: keyId, Created: created },
        })
      }
    }
  })

  test('names and times that no key has are refused', () => {
    const key = crypto.generateKey()
    const write = (created: unknown, keyId: unknown, parentCreated: unknown): unknown =>
      Reflect.apply(crypto.encryptRowJson ?? (() => undefined), crypto, [
        key,
        Buffer.from('x'),
        { created, parentKeyMeta: { keyId, created: parentCreated } },
      ])
    const wrong: readonly (readonly [unknown, unknown, unknown])[] = [
      [5, '', 5],
      [5, '\ud800', 5],
      [5, 7, 5],
      [5, 'id', 0],
      [5, 'id', 1.5],
      [5, 'id', Number.NaN],
      [0, 'id', 5],
      [-1, 'id', 5],
      [1.5, 'id', 5],
      [Number.NaN, 'id', 5],
      [2 ** 53, 'id', 5],
      ['5', 'id', 5],
    ]
    for (const given of wrong) expect(() => write(...given), JSON.stringify(given)).toThrow(InvalidInputError)
  })

  test('spans beyond the text, or turned around, are refused before anything is made', () => {
    const key = crypto.generateKey()
    const json = crypto.encryptRowJson?.(key, Buffer.from('x'), META) ?? ''
    for (const spans of [
      [],
      [0, 0, 0, 0],
      [0, 80, 0, 4_000_000_000],
      [0, 80, 100, 90],
      [4_294_967_290, 74, 0, 40],
      [300, 380, 0, 40],
      [0, 81, 0, 40],
    ]) {
      for (const text of [json, Buffer.from(json)]) {
        expect(() => crypto.decryptRowJson?.(key, text, Uint32Array.from(spans)), String(spans)).toThrow(
          InvalidInputError,
        )
      }
    }
  })

  test('a batch says which row is at fault, and ends that do not fit are refused', () => {
    const key = crypto.generateKey()
    const payloads = Buffer.from('abcdef')
    const rows = crypto.encryptRowsPacked?.(key, payloads, Uint32Array.of(2, 4, 6), META)
    const packed = Buffer.from(rows?.packed ?? [])
    packed[(rows?.ends[1] ?? 0) - 10] = 0x21
    expect(() => crypto.decryptRowsPacked?.(key, packed, rows?.ends ?? new Uint32Array())).toThrow(
      /^row 1 of the batch: the data row record: Key.Key and Data must be standard base64/,
    )
    for (const ends of [[2, 4, 5], [2, 4, 7], [4, 2, 6], [], [2 ** 32 - 1]]) {
      expect(() => crypto.encryptRowsPacked?.(key, payloads, Uint32Array.from(ends), META)).toThrow(InvalidInputError)
      expect(() => crypto.decryptRowsPacked?.(key, payloads, Uint32Array.from(ends))).toThrow(InvalidInputError)
    }
  })

  test('shared memory is read once: what another thread changes is not what was authenticated', () => {
    const key = crypto.generateKey()
    const shared = (bytes: Uint8Array): Uint8Array => {
      const view = new Uint8Array(new SharedArrayBuffer(bytes.byteLength))
      view.set(bytes)
      return view
    }
    const { encryptedKey, data } = crypto.encryptRow(key, shared(Buffer.from('payload')))
    const opened = crypto.decryptRow(key, shared(encryptedKey), shared(data))
    expect(Buffer.from(opened).toString()).toBe('payload')
    expect(opened.buffer).toBeInstanceOf(ArrayBuffer)
  })

  test('results leave nothing in the memory that both sides know', () => {
    const key: KeyHandle = crypto.generateKey()
    const payload = Buffer.alloc(100, 0x77)
    const { encryptedKey, data } = crypto.encryptRow(key, payload)
    expect(Buffer.from(crypto.decryptRow(key, encryptedKey, data))).toEqual(payload)
    // The next short result is copied from the same place: its memory holds itself, and no more.
    const { data: short } = crypto.encryptRow(key, new Uint8Array(0))
    expect(short.byteLength).toBe(28)
    expect(short.buffer.byteLength).toBe(28)
  })

  test('the status counts providers, keys and locked bytes', () => {
    const before = nativeStatus().memory
    const own = createNativeCrypto({ mode: 'required' })
    const keys = Array.from({ length: 500 }, () => own.generateKey())
    const during = nativeStatus().memory
    expect(during).toMatchObject({
      providers: (before?.providers ?? 0) + 1,
      keys: (before?.keys ?? 0) + 500,
      encryptedKeys: 0,
      locked: true,
      lockVerified: true,
      excludedFromDumps: true,
      keptFromChildren: true,
      intact: true,
    })
    expect(during?.lockedBytes).toBeGreaterThanOrEqual((before?.lockedBytes ?? 0) + 500 * 32)
    expect(own.stats?.()).toEqual({ lockedBytes: during?.lockedBytes })
    for (const key of keys) key.close()
    expect(nativeStatus().memory?.keys).toBe(before?.keys)
    own.close()
    expect(nativeStatus().memory).toMatchObject({ providers: before?.providers, lockedBytes: before?.lockedBytes })
    expect(nativeStatus().memory?.mostLockedBytes).toBeGreaterThanOrEqual(during?.lockedBytes ?? 0)
  })
})
