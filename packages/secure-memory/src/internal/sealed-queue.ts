import { type Secret, SecureMemoryError } from '@asherah/core/backend'
import { loadSodium, type Sodium } from './sodium.ts'

const TAG_BYTES = 16
const NONCE_BYTES = 12
/** What is pushed is cut into pieces of at most so many bytes; they come out as they were cut. */
const PIECE_BYTES = 65_536

/** Bytes in order, encrypted in ordinary memory under a secret key. */
export class SealedQueue {
  readonly #sodium: Sodium = loadSodium()
  readonly #key: Secret
  readonly #nonce: Uint8Array = new Uint8Array(NONCE_BYTES)
  readonly #nonceFields: DataView = new DataView(this.#nonce.buffer)
  /** A hole for each piece that has come out: `#first` is the next one's place. */
  #pieces: Uint8Array[] = []
  #first = 0
  #sealed = 0
  #opened = 0
  #byteLength = 0

  /** @param key Random, and used for this queue alone. */
  constructor(key: Secret) {
    this.#key = key
  }

  /** Bytes that it holds. */
  get byteLength(): number {
    return this.#byteLength
  }

  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
      const piece = bytes.subarray(at, at + PIECE_BYTES)
      const sealed = new Uint8Array(piece.byteLength + TAG_BYTES)
      const nonce = this.#nonceOf(this.#sealed)
      this.#key.withBytes((key) => {
        this.#sodium.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, piece, null, null, nonce, key)
      })
      this.#sealed += 1
      this.#pieces.push(sealed)
      this.#byteLength += piece.byteLength
    }
  }

  /**
   * The next piece; undefined when there is none.
   *
   * @throws SecureMemoryError when it was altered.
   */
  shift(): Buffer | undefined {
    const sealed = this.#pieces[this.#first]
    if (sealed === undefined) return undefined
    const bytes = Buffer.allocUnsafeSlow(sealed.byteLength - TAG_BYTES)
    const nonce = this.#nonceOf(this.#opened)
    this.#key.withBytes((key) => {
      try {
        this.#sodium.crypto_aead_chacha20poly1305_ietf_decrypt(bytes, null, sealed, null, nonce, key)
      } catch (cause) {
        throw new SecureMemoryError('the data of a secret stream was altered in memory', { cause })
      }
    })
    this.#opened += 1
    this.#byteLength -= bytes.byteLength
    this.#first += 1
    if (this.#first >= 64 && this.#first * 2 >= this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#first)
      this.#first = 0
    }
    return bytes
  }

  clear(): void {
    this.#pieces = []
    this.#first = 0
    this.#byteLength = 0
  }

  #nonceOf(count: number): Uint8Array {
    this.#nonceFields.setUint32(0, Math.floor(count / 2 ** 32))
    this.#nonceFields.setUint32(4, count >>> 0)
    return this.#nonce
  }
}
