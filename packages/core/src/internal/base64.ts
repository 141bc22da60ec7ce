import { Buffer } from 'node:buffer'
import v8 from 'node:v8'
import { InvalidInputError } from '../errors.ts'

// Native and several times faster on short inputs than a Buffer view and `toString`, but undocumented: hence the fallback.
const base64Slice: unknown = Reflect.get(Buffer.prototype, 'base64Slice')

// Since Node 22.15 and 23.10.
const isOneByte: unknown = Reflect.get(v8, 'isStringOneByteRepresentation')

/** How many characters the base64 text of `byteLength` bytes has. */
export function base64Length(byteLength: number): number {
  return Math.ceil(byteLength / 3) * 4
}

/** How many bytes a canonical base64 text stands for; undefined when its length alone shows that it is not canonical. */
export function decodedBase64Length(text: string): number | undefined {
  const { length } = text
  return length % 4 === 0 ? (length / 4) * 3 - paddingOf(text) : undefined
}

/** Standard base64 with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  if (typeof base64Slice === 'function') {
    const text: unknown = base64Slice.call(bytes)
    if (typeof text === 'string') return text
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

/**
 * Decodes standard base64 in its one canonical form: the alphabet with `+` and `/`, padding, zero trailing bits.
 *
 * @returns the bytes in an `ArrayBuffer` of their own, or undefined when `text` is anything else.
 */
export function decodeCanonicalBase64(text: string): Uint8Array | undefined {
  const bytes = decodeStrictly(text)
  if (bytes === undefined) return undefined
  // Node decodes short texts into its pool, and gives longer ones a buffer of their own, which need not be copied.
  const { buffer, byteLength } = bytes
  return buffer.byteLength === byteLength ? new Uint8Array(buffer) : new Uint8Array(bytes)
}

/**
 * As {@link decodeCanonicalBase64}, with an error that names the field.
 *
 * @throws InvalidInputError when `text` is not canonical standard base64 (white space, URL-safe, unpadded, trailing bits).
 */
export function decodeBase64(text: string, field: string): Uint8Array {
  const bytes = decodeCanonicalBase64(text)
  if (bytes === undefined) throw new InvalidInputError(notBase64(field))
  return bytes
}

/**
 * As {@link decodeBase64}, several times faster on short texts: the bytes may share Node's buffer pool with others. For
 * ciphertext that is read at once and never handed to a caller.
 *
 * @throws InvalidInputError as {@link decodeBase64}.
 */
export function decodeBase64Pooled(text: string, field: string): Uint8Array {
  const bytes = decodeStrictly(text)
  if (bytes === undefined) throw new InvalidInputError(notBase64(field))
  return bytes
}

/** What every error about a base64 field says. */
export function notBase64(field: string): string {
  return `${field} must be standard base64 with padding, in canonical form`
}

function decodeStrictly(text: string): Buffer | undefined {
  const expected = decodedBase64Length(text)
  if (expected === undefined || !endsCanonically(text) || text.includes('-') || text.includes('_') || !isAscii(text)) {
    return undefined
  }
  const bytes = Buffer.from(text, 'base64')
  // Node skips what is not base64 and stops at a `=`: each such character makes the result shorter than the length says.
  return bytes.length === expected ? bytes : undefined
}

/**
 * Node takes the low byte of each character of a two-byte string, so U+0141 would pass for `A` (0x41). A one-byte string
 * needs no look: the characters that it may hold from 0x80 to 0xff are skipped like any other garbage.
 */
function isAscii(text: string): boolean {
  return (typeof isOneByte === 'function' && isOneByte(text) === true) || Buffer.byteLength(text) === text.length
}

function paddingOf(text: string): 0 | 1 | 2 {
  if (!text.endsWith('=')) return 0
  return text.endsWith('==') ? 2 : 1
}

/** The last character before the padding must leave the bits that stand for nothing at zero (RFC 4648, section 3.5). */
function endsCanonically(text: string): boolean {
  const padding = paddingOf(text)
  if (padding === 0) return true
  const last = text.charAt(text.length - padding - 1)
  return last !== '' && (padding === 1 ? 'AEIMQUYcgkosw048' : 'AQgw').includes(last)
}
