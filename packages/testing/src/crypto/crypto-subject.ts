import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { CryptoProvider, KeyHandle } from '@asherah/core/backend'

/** The fast forms that a provider may have or not. */
export type CryptoCapability =
  | 'encryptRowJson'
  | 'decryptRowJson'
  | 'encryptRowJsonAsync'
  | 'decryptRowAsync'
  | 'encryptRowsPacked'
  | 'decryptRowsPacked'

/** What the crypto checks work on. */
export interface CryptoSubject {
  readonly crypto: CryptoProvider
  /** A further provider; it is closed after the tests. */
  create(): Promise<CryptoProvider>
}

/** Bytes of a wrapped key. */
export const WRAPPED = 60
/** What a blob adds to its plaintext. */
export const OVERHEAD = 28

/** Fresh random bytes. */
export function random(length: number): Uint8Array {
  return new Uint8Array(randomBytes(length))
}

/** A key in the provider, and its bytes, so that its blobs can be looked at from outside. */
export function knownKey(crypto: CryptoProvider): { readonly handle: KeyHandle; readonly bytes: Uint8Array } {
  const bytes = random(32)
  return { handle: crypto.importKey(new Uint8Array(bytes)), bytes }
}

/** AES-256-GCM with node:crypto alone: ciphertext, tag (16), nonce (12). */
export function independentOpen(blob: Uint8Array, key: Uint8Array): Uint8Array {
  assert.ok(blob.byteLength >= OVERHEAD, `a blob of ${blob.byteLength} bytes`)
  const cut = blob.byteLength - OVERHEAD
  const decipher = createDecipheriv('aes-256-gcm', key, blob.subarray(cut + 16), { authTagLength: 16 })
  decipher.setAuthTag(blob.subarray(cut, cut + 16))
  return new Uint8Array(Buffer.concat([decipher.update(blob.subarray(0, cut)), decipher.final()]))
}

/** The other direction. */
export function independentSeal(plaintext: Uint8Array, key: Uint8Array): Uint8Array {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 })
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return new Uint8Array(Buffer.concat([ciphertext, cipher.getAuthTag(), nonce]))
}

/** The last 12 bytes, as text. */
export function nonceOf(blob: Uint8Array): string {
  return Buffer.from(blob.subarray(-12)).toString('hex')
}

/** One byte flipped. */
export function flip(blob: Uint8Array, at: number): Uint8Array {
  const altered = new Uint8Array(blob)
  altered[at] = (altered[at] ?? 0) ^ 0x01
  return altered
}
