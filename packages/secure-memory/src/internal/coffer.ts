import { SecureMemoryError } from '@asherah/core/backend'
import type { Region } from './region.ts'
import { freeRegion, giveRegion, type RegionUser, takeRegion } from './region-pool.ts'
import { loadSodium, type Sodium } from './sodium.ts'

/** What sealing adds to the bytes. */
export const TAG_BYTES = 16
const HALF_BYTES = 32
const NONCE_BYTES = 12

/** When a coffer's halves are changed. */
export interface RekeyPolicy {
  readonly rekeyAfterUses: number
  readonly rekeyAfterMs: number
}

/**
 * A key that encrypts secrets at rest (memguard's coffer): it is nowhere in memory but while it is used.
 *
 * A locked page holds two halves, left and right; the key is BLAKE2b(right) xor left. Re-keying gives both halves new
 * values of which the key is the same, so what is read of them at different times does not add up, and nothing has to be
 * encrypted anew. It happens at the next use after so many uses or milliseconds: there is no timer.
 *
 * The page has no access once a turn of the event loop has gone by without a use: a burst of uses pays once.
 */
export class Coffer {
  readonly #sodium: Sodium
  readonly #region: Region
  readonly #user: RegionUser
  readonly #policy: RekeyPolicy
  readonly #right: Uint8Array
  readonly #key: Uint8Array
  readonly #random: Uint8Array
  // The same four places as words. Signed, since V8 puts numbers beyond 31 bits on its heap, and these are parts of keys.
  readonly #leftWords: Int32Array
  readonly #rightWords: Int32Array
  readonly #keyWords: Int32Array
  readonly #randomWords: Int32Array
  readonly #nonce: Uint8Array = new Uint8Array(NONCE_BYTES)
  readonly #nonceFields: DataView = new DataView(this.#nonce.buffer)
  #accessible = true
  #concealing = false
  #usedThisTurn = false
  #usesLeft = 0
  #rekeyAtMs = 0
  #serial = 0

  /** @throws SecureMemoryError when its page cannot be locked, unless the user allows that. */
  constructor(user: RegionUser, policy: RekeyPolicy) {
    this.#sodium = loadSodium()
    this.#user = user
    this.#policy = policy
    this.#region = takeRegion(4 * HALF_BYTES, user)
    const all = this.#region.window(4 * HALF_BYTES)
    const place = (i: number): Uint8Array => all.subarray(i * HALF_BYTES, (i + 1) * HALF_BYTES)
    const words = (i: number): Int32Array => new Int32Array(all.buffer, all.byteOffset + i * HALF_BYTES, HALF_BYTES / 4)
    this.#leftWords = words(0)
    this.#right = place(1)
    this.#rightWords = words(1)
    this.#key = place(2)
    this.#keyWords = words(2)
    this.#random = place(3)
    this.#randomWords = words(3)
    this.#sodium.randombytes_buf(all.subarray(0, 2 * HALF_BYTES))
    this.#planRekey()
    this.#concealLater()
  }

  /** A number that no other sealing of this coffer has; the nonce is made of it. */
  nextSerial(): number {
    this.#serial += 1
    return this.#serial
  }

  /**
   * Encrypts and authenticates `bytes` into `sealed`, which is 16 bytes longer.
   *
   * @param serial Of {@link nextSerial}, used once with each `part`.
   */
  seal(sealed: Uint8Array, bytes: Uint8Array, serial: number, part: number): void {
    this.#setNonce(serial, part)
    this.#makeKey()
    try {
      this.#sodium.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, bytes, null, null, this.#nonce, this.#key)
    } finally {
      this.#keyWords.fill(0)
    }
  }

  /** @throws SecureMemoryError when the sealed bytes were altered. */
  open(bytes: Uint8Array, sealed: Uint8Array, serial: number, part: number): void {
    this.#setNonce(serial, part)
    this.#makeKey()
    try {
      this.#sodium.crypto_aead_chacha20poly1305_ietf_decrypt(bytes, null, sealed, null, this.#nonce, this.#key)
    } catch (cause) {
      throw new SecureMemoryError('a secret was altered in memory: its authentication tag does not verify', { cause })
    } finally {
      this.#keyWords.fill(0)
    }
  }

  /** Wipes the halves: what they sealed cannot be opened any more. */
  close(atOnce: boolean): void {
    this.#accessible = false
    if (atOnce) freeRegion(this.#region, this.#user)
    else giveRegion(this.#region, this.#user)
  }

  #setNonce(serial: number, part: number): void {
    this.#nonceFields.setUint32(0, Math.floor(serial / 2 ** 32))
    this.#nonceFields.setUint32(4, serial >>> 0)
    this.#nonceFields.setUint32(8, part)
  }

  /** Puts the key into its place; whoever called wipes it. */
  #makeKey(): void {
    if (!this.#accessible) {
      this.#region.readWrite()
      this.#accessible = true
      this.#concealLater()
      this.#usedThisTurn = false
    }
    if (!this.#usedThisTurn) {
      this.#usedThisTurn = true
      // Once a turn: the clock costs as much as a sixth of a use.
      if (performance.now() >= this.#rekeyAtMs) this.#rekey()
    }
    this.#usesLeft -= 1
    if (this.#usesLeft < 0) this.#rekey()
    this.#sodium.crypto_generichash(this.#key, this.#right)
    xorInto(this.#keyWords, this.#leftWords)
  }

  /** left ^= BLAKE2b(right) ^ BLAKE2b(right ^ random); right ^= random: the key stays. */
  #rekey(): void {
    this.#sodium.randombytes_buf(this.#random)
    this.#sodium.crypto_generichash(this.#key, this.#right)
    xorInto(this.#leftWords, this.#keyWords)
    xorInto(this.#rightWords, this.#randomWords)
    this.#sodium.crypto_generichash(this.#key, this.#right)
    xorInto(this.#leftWords, this.#keyWords)
    this.#keyWords.fill(0)
    this.#randomWords.fill(0)
    this.#planRekey()
  }

  #planRekey(): void {
    this.#usesLeft = this.#policy.rekeyAfterUses
    this.#rekeyAtMs = performance.now() + this.#policy.rekeyAfterMs
  }

  /** Not while turns with uses follow one another: two protections a turn would cost more than the uses. */
  #concealLater(): void {
    if (this.#concealing) return
    this.#concealing = true
    const conceal = (): void => {
      if (!this.#accessible) {
        this.#concealing = false // closed meanwhile
      } else if (this.#usedThisTurn) {
        this.#usedThisTurn = false
        setImmediate(conceal)
      } else {
        this.#concealing = false
        this.#accessible = false
        this.#region.noAccess()
      }
    }
    // Referenced: otherwise the event loop could come to rest, for hours, with the page open.
    setImmediate(conceal)
  }
}

function xorInto(target: Int32Array, other: Int32Array): void {
  for (let i = 0; i < target.length; i++) target[i] = (target[i] ?? 0) ^ (other[i] ?? 0)
}
