import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject, randomFillSync } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { isUint8Array } from 'node:util/types'
import { DecryptionError, InvalidInputError } from './errors.ts'

/** Bytes of an AES-256 key. */
export const KEY_BYTES = 32
/** Bytes of a GCM nonce; it stands last in a blob. */
export const NONCE_BYTES = 12
/** Bytes of a GCM tag; it stands between ciphertext and nonce. */
export const TAG_BYTES = 16
/** What a blob adds to its plaintext. */
export const OVERHEAD_BYTES: number = TAG_BYTES + NONCE_BYTES
/** Bytes of a wrapped 32-byte key. */
export const WRAPPED_KEY_BYTES: number = KEY_BYTES + OVERHEAD_BYTES

const ALGORITHM = 'aes-256-gcm'
/** Fixes the length of the tag, so that a shorter one is refused. */
const OPTIONS = { authTagLength: TAG_BYTES }

/** A key as node:crypto takes it. */
export type CipherKey = Uint8Array | KeyObject

/**
 * AES-256-GCM (NIST SP 800-38D) without additional data, under a fresh random nonce.
 *
 * @param key 32 bytes.
 * @returns ciphertext, tag (16 bytes), nonce (12 bytes), in memory of its own.
 * @throws InvalidInputError when the key is not 32 bytes, or something is not bytes.
 */
export function sealAes256Gcm(plaintext: Uint8Array, key: Uint8Array): Uint8Array {
  checkKey(key)
  checkBytes('a plaintext', plaintext)
  const nonce = randomFillSync(new Uint8Array(NONCE_BYTES))
  const blob = new Uint8Array(plaintext.byteLength + OVERHEAD_BYTES)
  sealInto(blob, plaintext, toCipherKey(key), nonce)
  return blob
}

/**
 * Opens what {@link sealAes256Gcm} made.
 *
 * @returns The plaintext, in memory of its own.
 * @throws DecryptionError when the tag does not verify or the blob is shorter than 28 bytes.
 * @throws InvalidInputError when the key is not 32 bytes, or something is not bytes.
 */
export function openAes256Gcm(blob: Uint8Array, key: Uint8Array): Uint8Array {
  checkKey(key)
  checkBytes('a blob', blob)
  return open(blob, toCipherKey(key))
}

/** Seals into `target`, which is `plaintext.byteLength + 28` bytes. The caller answers for the nonce being fresh. */
export function sealInto(target: Uint8Array, plaintext: Uint8Array, key: CipherKey, nonce: Uint8Array): void {
  const cipher = createCipheriv(ALGORITHM, key, nonce)
  const length = plaintext.byteLength
  if (length > 0) target.set(cipher.update(plaintext), 0)
  cipher.final()
  target.set(cipher.getAuthTag(), length)
  target.set(nonce, length + TAG_BYTES)
}

/** Opens a blob; the result is a plain `Uint8Array` in memory of its own. */
export function open(blob: Uint8Array, key: CipherKey): Uint8Array {
  const length = blob.byteLength - OVERHEAD_BYTES
  if (length < 0) throw new DecryptionError(`a blob of ${blob.byteLength} bytes is too short to be authentic`)
  const decipher = createDecipheriv(ALGORITHM, key, blob.subarray(length + TAG_BYTES), OPTIONS)
  decipher.setAuthTag(blob.subarray(length, length + TAG_BYTES))
  const plaintext = decipher.update(blob.subarray(0, length))
  try {
    decipher.final()
  } catch (cause) {
    plaintext.fill(0) // unauthenticated bytes must not stay behind
    throw new DecryptionError('the authentication tag does not verify', { cause })
  }
  return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength)
}

function checkKey(key: Uint8Array): void {
  checkBytes('an AES-256 key', key)
  if (key.byteLength !== KEY_BYTES)
    throw new InvalidInputError(`an AES-256 key is ${KEY_BYTES} bytes, not ${key.byteLength}`)
}

function checkBytes(what: string, bytes: unknown): void {
  if (!isUint8Array(bytes)) throw new InvalidInputError(`${what} is a Uint8Array, not of type ${typeof bytes}`)
}

/**
 * The quickest form of a key that is used once.
 *
 * Node 24 spends 12 µs on a raw key in `createCipheriv`, where an error is thrown and caught inside, and 2 µs on a fresh
 * `KeyObject`; Node 20, 22 and 26 are quicker with raw keys. So the first use measures, once for the process.
 */
export function toCipherKey(key: Uint8Array): CipherKey {
  preferKeyObject ??= probeKeyObject()
  return preferKeyObject ? createSecretKey(key) : key
}

let preferKeyObject: boolean | undefined

function probeKeyObject(): boolean {
  const key = new Uint8Array(KEY_BYTES)
  const nonce = new Uint8Array(NONCE_BYTES)
  let raw = Number.POSITIVE_INFINITY
  let object = Number.POSITIVE_INFINITY
  for (let i = 0; i < 32; i++) {
    const start = performance.now()
    createCipheriv(ALGORITHM, key, nonce)
    const middle = performance.now()
    createCipheriv(ALGORITHM, createSecretKey(key), nonce)
    // The minimum: one undisturbed sample of each form decides.
    raw = Math.min(raw, middle - start)
    object = Math.min(object, performance.now() - middle)
  }
  return object < raw
}
