import { InvalidInputError } from '../errors.ts'
import { offHeapBytes } from './bytes.ts'

/** Bytes of a master key that is AES-256's own key, not a handle of some service. */
export const MASTER_KEY_BYTES = 32

const HEX_KEY = /^[0-9a-fA-F]{64}$/
const PUBLIC_TEST_KEY = 'thisIsAStaticMasterKeyForTesting'

/** The master key that every Asherah implementation uses in its tests: it stands in public repositories. In memory of its own. */
export function publicTestKey(): Uint8Array {
  const key = offHeapBytes(MASTER_KEY_BYTES)
  new TextEncoder().encodeInto(PUBLIC_TEST_KEY, key)
  return key
}

/** Whether a text is a master key in hex: strictly 64 digits, without prefix, sign or white space (D-080). */
export function isHexKey(text: unknown): text is string {
  return typeof text === 'string' && HEX_KEY.test(text)
}

/**
 * Decodes a text that {@link isHexKey} takes.
 *
 * @returns memory of its own, for the caller to wipe.
 * @throws InvalidInputError for any other text.
 */
export function decodeHexKey(text: string): Uint8Array {
  if (!isHexKey(text)) throw new InvalidInputError('a master key in hex must be exactly 64 hex digits')
  const key = offHeapBytes(MASTER_KEY_BYTES)
  for (let i = 0; i < MASTER_KEY_BYTES; i++) key[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16)
  return key
}

/** Why a master key protects nothing; undefined for a key that is not known to be weak. */
export function weaknessOf(key: Uint8Array): 'public test key' | 'one byte repeated' | undefined {
  const testKey = publicTestKey()
  if (key.byteLength === testKey.byteLength && key.every((byte, i) => byte === testKey[i])) return 'public test key'
  return key.every((byte) => byte === key[0]) ? 'one byte repeated' : undefined
}
