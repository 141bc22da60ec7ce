import { isSharedArrayBuffer } from 'node:util/types'
import type { CryptoProvider } from '@asherah/core/backend'
import type { NativeFunctions } from './binding.ts'
import type { NativeKeys } from './native-key.ts'

/**
 * The batch forms: payloads in, rows out as UTF-8 wire text, and back.
 *
 * @param check Throws for a negative result, and gives back any other.
 */
export function createBatchForms(
  native: NativeFunctions,
  { handleOf, writerOf }: NativeKeys,
  check: (result: number) => number,
): Required<Pick<CryptoProvider, 'encryptRowsPacked' | 'decryptRowsPacked'>> {
  return {
    encryptRowsPacked(intermediateKey, packed, ends, { created, parentKeyMeta }) {
      const handle = writerOf(intermediateKey, parentKeyMeta)
      const [payloads, places] = [unsharedBytes(packed), unsharedWords(ends)]
      const rows = new Uint8Array(check(native.sealedLength(handle, payloads, places, created)))
      const rowEnds = new Uint32Array(places.length)
      check(native.encryptRowsPacked(handle, payloads, places, created, rows, rowEnds))
      return { packed: rows, ends: rowEnds }
    },
    decryptRowsPacked(intermediateKey, packed, ends) {
      const handle = handleOf(intermediateKey)
      const [rows, places] = [unsharedBytes(packed), unsharedWords(ends)]
      const payloads = new Uint8Array(check(native.openedLength(handle, rows, places)))
      const payloadEnds = new Uint32Array(places.length)
      check(native.decryptRowsPacked(handle, rows, places, payloads, payloadEnds))
      return { packed: payloads, ends: payloadEnds }
    },
  }
}

/** Bytes that no other thread can change between the moment when they are authenticated and the moment when they are used. */
export function unsharedBytes(bytes: Uint8Array): Uint8Array {
  return isSharedArrayBuffer(bytes.buffer) ? new Uint8Array(bytes) : bytes
}

function unsharedWords(words: Uint32Array): Uint32Array {
  return isSharedArrayBuffer(words.buffer) ? new Uint32Array(words) : words
}
