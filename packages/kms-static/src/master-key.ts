import { Buffer } from 'node:buffer'
import { InvalidConfigError, offHeapBytes, offHeapCopy } from '@asherah/core/backend'

/** Bytes of a master key. */
export const MASTER_KEY_BYTES = 32

/** What every Asherah implementation uses in its tests: it stands in public repositories. */
const PUBLIC_TEST_KEY = 'thisIsAStaticMasterKeyForTesting'

const HEX_KEY = /^[0-9a-fA-F]{64}$/

/** The public test key, in memory of its own. */
export function publicTestKey(): Uint8Array {
  return utf8(PUBLIC_TEST_KEY)
}

/** Copies a `masterKey` option. @throws InvalidConfigError */
export function masterKeyFrom(masterKey: unknown): Uint8Array {
  if (masterKey instanceof Uint8Array) {
    if (masterKey.byteLength !== MASTER_KEY_BYTES) throw wrongLength(masterKey.byteLength)
    return offHeapCopy(masterKey)
  }
  if (typeof masterKey !== 'string')
    throw new InvalidConfigError('masterKey must be 32 bytes, or text of 32 UTF-8 bytes')
  if (HEX_KEY.test(masterKey)) {
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
  if (typeof masterKeyHex !== 'string' || !HEX_KEY.test(masterKeyHex)) {
    throw new InvalidConfigError(
      'masterKeyHex must be exactly 64 hex digits (0-9, a-f, A-F), without prefix or white space',
    )
  }
  const bytes = offHeapBytes(MASTER_KEY_BYTES)
  for (let i = 0; i < MASTER_KEY_BYTES; i++) bytes[i] = Number.parseInt(masterKeyHex.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** Refuses keys that protect nothing. @throws InvalidConfigError */
export function refuseWeakKey(key: Uint8Array): void {
  if (equal(key, publicTestKey())) {
    throw new InvalidConfigError(
      'the master key is the public test key of every Asherah implementation; tests can use createInsecureTestKms()',
    )
  }
  if (key.every((byte) => byte === key[0])) throw new InvalidConfigError('the master key is one byte repeated')
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

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && a.every((byte, i) => byte === b[i])
}
