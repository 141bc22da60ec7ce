import { createCipheriv, createSecretKey, Decipheriv, webcrypto } from 'node:crypto'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import {
  KEY_BYTES,
  NONCE_BYTES,
  OVERHEAD_BYTES,
  open,
  sealInto,
  TAG_BYTES,
  WRAPPED_KEY_BYTES,
} from '../src/aes-256-gcm.ts'
import { openAes256Gcm, sealAes256Gcm } from '../src/backend.ts'
import { DecryptionError, InvalidInputError } from '../src/index.ts'
import { bytesOf } from './fakes.ts'
import { isAllZero, thrownBy } from './harness.ts'

const hex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'))
const key = Uint8Array.from({ length: 32 }, (_, i) => i)
const plaintext = bytesOf('4111 1111 1111 1111')

/** Key, nonce, plaintext, ciphertext, tag; no additional data. */
const published: [string, string, string, string, string, string][] = [
  [
    'CAVP gcmEncryptExtIV256, PTlen 0, count 0',
    'b52c505a37d78eda5dd34f20c22540ea1b58963cf8e5bf8ffa85f9f2492505b4',
    '516c33929df5a3284ff463d7',
    '',
    '',
    'bdc1ac884d332457a1d2664f168c76f0',
  ],
  [
    'CAVP gcmEncryptExtIV256, PTlen 128, count 0',
    '31bdadd96698c204aa9ce1448ea94ae1fb4a9a0b3c9d773b51bb1822666b8f22',
    '0d18e06c7c725ac9e362e1ce',
    '2db5168e932556f8089a0622981d017d',
    'fa4362189661d163fcd6a56d8bf0405a',
    'd636ac1bbedd5cc3ee727dc2ab4a9489',
  ],
  ['the GCM specification, test case 13', '00'.repeat(32), '00'.repeat(12), '', '', '530f8afbc74536b9a963b4f1c4cb738b'],
  [
    'the GCM specification, test case 14',
    '00'.repeat(32),
    '00'.repeat(12),
    '00'.repeat(16),
    'cea7403d4d606b6e074ec5d3baf39d18',
    'd0d1c8a799996bf0265b98b5d48ab919',
  ],
  [
    'the GCM specification, test case 15',
    'feffe9928665731c6d6a8f9467308308'.repeat(2),
    'cafebabefacedbaddecaf888',
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255',
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad',
    'b094dac5d93471bdec1a502270e3cc6c',
  ],
]

describe('published vectors', () => {
  it.each(published)('%s', (_what, k, nonce, p, c, tag) => {
    const blob = hex(c + tag + nonce)
    for (const form of [hex(k), createSecretKey(hex(k))]) {
      const target = new Uint8Array(hex(p).byteLength + OVERHEAD_BYTES)
      sealInto(target, hex(p), form, hex(nonce))
      expect(target).toEqual(blob)
      expect(open(blob, form)).toEqual(hex(p))
    }
    expect(openAes256Gcm(blob, hex(k))).toEqual(hex(p))
  })
})

describe('the layout', () => {
  it('is ciphertext, 16 bytes of tag, 12 bytes of nonce', async () => {
    expect([KEY_BYTES, NONCE_BYTES, TAG_BYTES, OVERHEAD_BYTES, WRAPPED_KEY_BYTES]).toEqual([32, 12, 16, 28, 60])
    const blob = sealAes256Gcm(plaintext, key)
    const length = plaintext.byteLength
    expect(blob.byteLength).toBe(length + 28)
    // An independent way to the same bytes: WebCrypto.
    const webKey = await webcrypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt'])
    const iv = blob.slice(length + 16)
    const again = await webcrypto.subtle.encrypt({ name: 'AES-GCM', iv, tagLength: 128 }, webKey, plaintext)
    expect(blob.slice(0, length + 16)).toEqual(new Uint8Array(again))
    // And node:crypto, byte by byte.
    const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 })
    const parts = [...plaintext].map((byte) => cipher.update(Uint8Array.of(byte)))
    cipher.final()
    expect(Buffer.concat([...parts, cipher.getAuthTag(), iv]).equals(blob)).toBe(true)
  })

  it('what WebCrypto writes opens (property)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        fc.uint8Array({ maxLength: 200, size: 'max' }),
        async (rawKey, iv, bytes) => {
          const webKey = await webcrypto.subtle.importKey('raw', new Uint8Array(rawKey), 'AES-GCM', false, ['encrypt'])
          const sealed = await webcrypto.subtle.encrypt(
            { name: 'AES-GCM', iv: new Uint8Array(iv) },
            webKey,
            new Uint8Array(bytes),
          )
          expect(Buffer.compare(openAes256Gcm(Buffer.concat([new Uint8Array(sealed), iv]), rawKey), bytes)).toBe(0)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('results are plain and unpooled, also when they are empty', () => {
    for (const length of [0, 1, 15, 16, 17, 100, 5_000]) {
      const bytes = new Uint8Array(length).fill(7)
      const blob = sealAes256Gcm(bytes, key)
      const again = openAes256Gcm(blob, key)
      expect(again).toEqual(bytes)
      for (const result of [blob, again]) {
        expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype)
        expect(result.byteOffset).toBe(0)
        expect(result.buffer.byteLength).toBe(result.byteLength)
      }
    }
  })

  it('takes views of parts and Buffers, and changes none of them', () => {
    const blob = sealAes256Gcm(Buffer.from(plaintext), Buffer.from(key))
    const wide = Uint8Array.of(1, 2, 3, ...blob, 4)
    expect(openAes256Gcm(wide.subarray(3, 3 + blob.byteLength), Buffer.from(key))).toEqual(plaintext)
    expect(openAes256Gcm(Buffer.from(blob), key)).toEqual(plaintext)
    expect(wide.subarray(0, 3)).toEqual(Uint8Array.of(1, 2, 3))
    expect(key[1]).toBe(1)
  })

  it('no nonce comes twice', () => {
    const nonces = new Set(
      Array.from({ length: 500 }, () => Buffer.from(sealAes256Gcm(plaintext, key).slice(-12)).toString('hex')),
    )
    expect(nonces.size).toBe(500)
  })
})

describe('what is refused', () => {
  it.each([0, 1, 16, 24, 31, 33, 64])('a key of %i bytes', (length) => {
    const blob = sealAes256Gcm(plaintext, key)
    for (const use of [
      () => sealAes256Gcm(plaintext, new Uint8Array(length)),
      () => openAes256Gcm(blob, new Uint8Array(length)),
    ]) {
      const error = thrownBy(use)
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toContain(`32 bytes, not ${length}`)
    }
  })

  it.each([[undefined], [null], ['0123456789abcdef0123456789abcdef'], [{ byteLength: 32 }], [new Uint16Array(16)]])(
    'a key that is no bytes: %j',
    (wrong) => {
      const blob = sealAes256Gcm(plaintext, key)
      expect(thrownBy(() => Reflect.apply(sealAes256Gcm, undefined, [plaintext, wrong]))).toBeInstanceOf(
        InvalidInputError,
      )
      expect(thrownBy(() => Reflect.apply(openAes256Gcm, undefined, [blob, wrong]))).toBeInstanceOf(InvalidInputError)
    },
  )

  it.each([[undefined], [null], ['text'], [{}], [new ArrayBuffer(64)]])(
    'a plaintext or blob that is no bytes: %j',
    (wrong) => {
      expect(thrownBy(() => Reflect.apply(sealAes256Gcm, undefined, [wrong, key]))).toBeInstanceOf(InvalidInputError)
      expect(thrownBy(() => Reflect.apply(openAes256Gcm, undefined, [wrong, key]))).toBeInstanceOf(InvalidInputError)
    },
  )

  it('D-089 a blob of 0 to 27 bytes', () => {
    const blob = sealAes256Gcm(new Uint8Array(0), key)
    for (let length = 0; length < 28; length += 1) {
      for (const short of [blob.subarray(0, length), blob.subarray(28 - length), new Uint8Array(length)]) {
        const error = thrownBy(() => openAes256Gcm(short, key))
        expect(error).toBeInstanceOf(DecryptionError)
        expect(error.message).toContain(`${length} bytes`)
      }
    }
    expect(openAes256Gcm(blob, key)).toEqual(new Uint8Array(0))
  })

  it('D-097 each flipped bit, each other length, the wrong key', () => {
    const blob = sealAes256Gcm(plaintext, key)
    for (let bit = 0; bit < blob.byteLength * 8; bit += 1) {
      const altered = Uint8Array.from(blob, (byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte))
      const error = thrownBy(() => openAes256Gcm(altered, key))
      expect(error).toBeInstanceOf(DecryptionError)
      expect(error.message).toBe('the authentication tag does not verify')
    }
    for (let length = 28; length < blob.byteLength; length += 1) {
      expect(thrownBy(() => openAes256Gcm(blob.subarray(0, length), key))).toBeInstanceOf(DecryptionError)
      expect(thrownBy(() => openAes256Gcm(blob.subarray(blob.byteLength - length), key))).toBeInstanceOf(
        DecryptionError,
      )
    }
    expect(thrownBy(() => openAes256Gcm(Uint8Array.of(...blob, 0), key))).toBeInstanceOf(DecryptionError)
    expect(thrownBy(() => openAes256Gcm(blob, new Uint8Array(32)))).toBeInstanceOf(DecryptionError)
  })

  it('additional data is part of what is authenticated: there is none', () => {
    const nonce = new Uint8Array(12)
    const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 })
    cipher.setAAD(Buffer.from('partition'))
    const blob = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag(), nonce])
    expect(thrownBy(() => openAes256Gcm(blob, key))).toBeInstanceOf(DecryptionError)
  })
})

describe('unauthenticated plaintext', () => {
  const { update } = Decipheriv.prototype
  afterEach(() => {
    Decipheriv.prototype.update = update
  })

  it('D-100 is wiped when the tag does not verify', () => {
    const seen: Uint8Array[] = []
    Reflect.set(Decipheriv.prototype, 'update', function (this: Decipheriv, ...given: unknown[]): unknown {
      const result: unknown = Reflect.apply(update, this, given)
      if (result instanceof Uint8Array) seen.push(result)
      return result
    })
    const blob = sealAes256Gcm(plaintext, key)
    blob[blob.byteLength - 13] = (blob.at(-13) ?? 0) ^ 1 // of the tag: what is decrypted is the true plaintext
    expect(thrownBy(() => openAes256Gcm(blob, key))).toBeInstanceOf(DecryptionError)
    expect(seen.map(({ byteLength }) => byteLength)).toEqual([plaintext.byteLength])
    expect(seen.every(isAllZero)).toBe(true)
  })
})
