import { byteLengthOf } from './record-fields.ts'

/**
 * Zeroed bytes outside V8's heap. V8 keeps a typed array of up to 64 bytes inside its heap until native code asks for its
 * buffer, and then moves it: wiping it afterwards would leave the first copy behind.
 */
export function offHeapBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length))
}

/** A copy of secret bytes that can be wiped; see {@link offHeapBytes}. */
export function offHeapCopy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const copy = offHeapBytes(byteLengthOf(bytes))
  copy.set(bytes)
  return copy
}
