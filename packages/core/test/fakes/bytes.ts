export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
/** What most tests encrypt. */
export const PLAINTEXT: Uint8Array = bytesOf('4111 1111')

/** A copy with one bit of its first byte changed. */
export function flipped(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[0] = (copy[0] ?? 0) ^ 1
  return copy
}
