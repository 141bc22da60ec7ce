import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidInputError } from '../../src/errors.ts'
import {
  base64Length,
  decodeBase64,
  decodeBase64Pooled,
  decodeCanonicalBase64,
  decodedBase64Length,
  encodeBase64,
} from '../../src/internal/base64.ts'
import { bytes, errorOf } from './record-samples.ts'

// RFC 4648, section 10.
const RFC_4648 = [
  ['', ''],
  ['f', 'Zg=='],
  ['fo', 'Zm8='],
  ['foo', 'Zm9v'],
  ['foob', 'Zm9vYg=='],
  ['fooba', 'Zm9vYmE='],
  ['foobar', 'Zm9vYmFy'],
] as const

const REFUSED: readonly (readonly [string, string])[] = [
  ['unpadded by two', 'Zg'],
  ['unpadded by one', 'Zm8'],
  ['padded too far', 'Zm9v===='],
  ['only padding', '===='],
  ['three paddings', 'Z==='],
  ['padding inside', 'Zg==Zm9v'],
  ['padding first', '=m9v'],
  ['URL-safe 62', '-m9v'],
  ['URL-safe 63', '_m9v'],
  ['line feed', 'Zm9v\nZm9'],
  ['line feed at the end', 'Zm9vZm8\n'],
  ['space', 'Zm9v Zm9'],
  ['trailing bits of one byte', 'Zh=='],
  ['trailing bits of two bytes', 'Zm9='],
  ['NUL', 'Zm9\u0000'],
  ['Latin-1', 'Zm9\u00ff'],
  // Node's decoder takes the low byte of a two-byte string's characters: U+0176 is 0x76, v.
  ['a character whose low byte is in the alphabet', 'Zm9\u0176'],
  ['the same in a long text', `${'Zm9v'.repeat(5000)}Zm9\u0176`],
  ['the same first in a long text', `\u015am9v${'Zm9v'.repeat(5000)}`],
  ['a fullwidth letter', '\uff3am9v'],
  ['a lone surrogate', 'Zm9\ud800'],
  ['a byte order mark', '\ufeffZm9'],
  ['a quote', 'Zm9"'],
  ['a backslash', 'Zm9\\'],
]

describe('base64', () => {
  it.each(RFC_4648)('writes and reads RFC 4648: %j is %j', (text, encoded) => {
    expect(encodeBase64(Buffer.from(text))).toBe(encoded)
    expect(Buffer.from(decodeBase64(encoded, 'Data')).toString()).toBe(text)
  })

  it.each(REFUSED)('refuses %s, naming the field', (_, text) => {
    expect(decodeCanonicalBase64(text)).toBeUndefined()
    for (const decode of [decodeBase64, decodeBase64Pooled]) {
      const error = errorOf(() => decode(text, 'Key.Key'))
      expect(error).toBeInstanceOf(InvalidInputError)
      expect(error.message).toBe('Key.Key must be standard base64 with padding, in canonical form')
    }
  })

  it('refuses every last character that leaves bits set, and takes every other', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
    const taken = (make: (last: string) => string): string =>
      [...alphabet].filter((last) => decodeCanonicalBase64(make(last)) !== undefined).join('')
    expect(taken((last) => `Zm9vA${last}==`)).toBe('AQgw')
    expect(taken((last) => `Zm9vAA${last}=`)).toBe('AEIMQUYcgkosw048')
    expect(taken((last) => `Zm9vAAA${last}`)).toBe(alphabet)
  })

  it('reads text in a two-byte string', () => {
    const text = '\u5206{"Data":"Zm9vYmFy"}'
    expect(Buffer.from(decodeBase64(text.slice(10, 18), 'Data')).toString()).toBe('foobar')
  })

  // Around Node's pool (4 KiB) and its external strings (1 MiB).
  it.each([0, 1, 2, 3, 28, 60, 63, 64, 65, 3071, 3072, 3073, 4095, 4096, 4097, 8192, 65_537, 1_048_604])(
    'round-trips %i bytes into memory of its own',
    (length) => {
      const source = bytes(length)
      const text = encodeBase64(source)
      expect(text).toBe(Buffer.from(source).toString('base64'))
      expect(text.length).toBe(base64Length(length))
      expect(decodedBase64Length(text)).toBe(length)

      const decoded = decodeBase64(text, 'Data')
      expect(Object.getPrototypeOf(decoded)).toBe(Uint8Array.prototype)
      expect(decoded.buffer.byteLength).toBe(length)
      expect(Buffer.compare(decoded, source)).toBe(0)
      expect(Buffer.compare(decodeBase64Pooled(text, 'Data'), source)).toBe(0)
    },
  )

  it('encodes exactly the viewed bytes, also of a shared buffer', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(9))
    shared.set(bytes(9))
    expect(encodeBase64(shared.subarray(3, 6))).toBe('BAUG')
    expect(encodeBase64(bytes(9).subarray(3, 6))).toBe('BAUG')
  })

  it('accepts exactly what encoding gives back, for any text', () => {
    const nearBase64 = fc.string({ unit: fc.constantFrom(...'AQgwEZz019+/=-_ \n\u0141\u00ff'), maxLength: 12 })
    fc.assert(
      fc.property(fc.oneof(nearBase64, fc.string({ unit: 'binary', maxLength: 12 })), (text) => {
        const decoded = decodeCanonicalBase64(text)
        const canonical = Buffer.from(text, 'base64').toString('base64') === text
        expect(decoded !== undefined).toBe(canonical)
        if (decoded !== undefined) expect(encodeBase64(decoded)).toBe(text)
      }),
      { numRuns: 2_000 },
    )
  })
})
