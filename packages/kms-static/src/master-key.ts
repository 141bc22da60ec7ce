import { Buffer } from 'node:buffer'
import {
  decodeHexKey,
  InvalidConfigError,
  isHexKey,
  MASTER_KEY_BYTES,
  offHeapBytes,
  offHeapCopy,
  weaknessOf,
} from '@asherah/core/backend'

/** Copies a `masterKey` option. @throws InvalidConfigError */
export function masterKeyFrom(masterKey: unknown): Uint8Array {
  if (masterKey instanceof Uint8Array) {
    if (masterKey.byteLength !== MASTER_KEY_BYTES) throw wrongLength(masterKey.byteLength)
    return offHeapCopy(masterKey)
  }
  if (typeof masterKey !== 'string')
    throw new InvalidConfigError('masterKey must be 32 bytes, or text of 32 UTF-8 bytes')
  if (isHexKey(masterKey)) {
    throw new InvalidConfigError('masterKey is 64 hex digits, which is not 32 bytes of text: give it as masterKeyHex')
  }
  if (/\p{Surrogate}/u.test(masterKey)) throw new InvalidConfigError('masterKey is not well-formed text')
  const bytes = utf8(masterKey)
  if (bytes.byteLength !== MASTER_KEY_BYTES) {
    bytes.fill(0)
    throw wrongLength(bytes.byteLength)
  }
  return bytes
}

/** Decodes a `masterKeyHex` option: strictly 64 digits, no prefix, sign or white space (D-080). @throws InvalidConfigError */
export function masterKeyFromHex(masterKeyHex: unknown): Uint8Array {
  if (!isHexKey(masterKeyHex)) {
    throw new InvalidConfigError(
      'masterKeyHex must be exactly 64 hex digits (0-9, a-f, A-F), without prefix or white space',
    )
  }
  return decodeHexKey(masterKeyHex)
}

/** Refuses keys that protect nothing. @throws InvalidConfigError */
export function refuseWeakKey(key: Uint8Array): void {
  const weakness = weaknessOf(key)
  if (weakness === 'public test key') {
    throw new InvalidConfigError(
      'the master key is the public test key of every Asherah implementation; tests can use createInsecureTestKms()',
    )
  }
  if (weakness !== undefined) throw new InvalidConfigError(`the master key is ${weakness}`)
}

function wrongLength(length: number): InvalidConfigError {
  return new InvalidConfigError(
    `the master key must be exactly ${MASTER_KEY_BYTES} bytes, not ${length}: it is never padded, cut or hashed`,
  )
}

/** Not `Buffer.from(text)`: that one may be a slice of the shared pool, which is never wiped. */
function utf8(text: string): Uint8Array {
  const bytes = offHeapBytes(Buffer.byteLength(text, 'utf8'))
  new TextEncoder().encodeInto(text, bytes)
  return bytes
}
