import { offHeapBytes } from '@asherah/core/backend'

const ALPHABET = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const VALUES = new Map([...ALPHABET].map((character, value) => [character, value]))
const PADDING = 0x3d

/** Base64 as bytes: a text could not be wiped. */
export function toBase64Bytes(bytes: Uint8Array): Uint8Array {
  const text = offHeapBytes(4 * Math.ceil(bytes.byteLength / 3)).fill(PADDING)
  for (let at = 0; at < bytes.byteLength; at += 3) {
    const left = Math.min(3, bytes.byteLength - at)
    const bits = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0)
    for (let i = 0; i <= left; i++) text[(at / 3) * 4 + i] = ALPHABET[(bits >> (18 - 6 * i)) & 63] ?? 0
  }
  return text
}

/** @returns `undefined` when the text is not canonical base64 of exactly `length` bytes. */
export function fromBase64Bytes(text: Uint8Array, length: number): Uint8Array | undefined {
  if (text.byteLength !== 4 * Math.ceil(length / 3)) return undefined
  const bytes = offHeapBytes(length)
  for (let at = 0; at < text.byteLength; at += 4) {
    let bits = 0
    for (let i = 0; i < 4; i++) bits = (bits << 6) | (VALUES.get(text[at + i] ?? 0) ?? 0)
    const from = (at / 4) * 3
    for (let i = 0; i < 3 && from + i < length; i++) bytes[from + i] = (bits >> (16 - 8 * i)) & 255
  }
  // What is not in the alphabet counted as zeros: only canonical text comes out the same again.
  const again = toBase64Bytes(bytes)
  const isCanonical = again.every((character, i) => character === text[i])
  again.fill(0)
  if (isCanonical) return bytes
  bytes.fill(0)
  return undefined
}
