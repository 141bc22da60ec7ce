import type { KeyMeta } from '../types.ts'

/** A key inside a {@link CryptoProvider}: opaque, and valid only in the provider that made it. */
export interface KeyHandle {
  readonly closed: boolean
  /** Wipes the key; idempotent. */
  close(): void
}

/** What a data row record says beside its two blobs. */
export interface RowMeta {
  /** The data row key's own time, in Unix seconds. */
  readonly created: number
  readonly parentKeyMeta: KeyMeta
}

/** Many payloads in one buffer. */
export interface PackedRows {
  readonly packed: Uint8Array
  /** Where each item ends in `packed`. */
  readonly ends: Uint32Array
}

/**
 * Everything that touches key bytes. Core calls it and never sees one.
 *
 * Keys are 32 bytes; every blob is AES-256-GCM: ciphertext, tag (16 bytes), nonce (12 bytes). CPU work is synchronous.
 * A tag that does not verify throws `DecryptionError`; a closed handle throws `ClosedError`.
 */
export interface CryptoProvider {
  readonly kind: string
  /** A new random key. */
  generateKey(): KeyHandle
  /** Takes 32 bytes over: `bytes` is wiped before this returns or throws. */
  importKey(bytes: Uint8Array): KeyHandle
  /** Shows a key's bytes to `use` until its promise settles, then wipes them. For `kms.encryptKey`, and nothing else. */
  exportKey<T>(key: KeyHandle, use: (bytes: Uint8Array) => Promise<T>): Promise<T>
  /** `key` under `parent`: 60 bytes. */
  wrapKey(key: KeyHandle, parent: KeyHandle): Uint8Array
  unwrapKey(wrapped: Uint8Array, parent: KeyHandle): KeyHandle
  /** Encrypts a payload under a fresh data row key, and that key under `intermediateKey`. */
  encryptRow(intermediateKey: KeyHandle, plaintext: Uint8Array): { encryptedKey: Uint8Array; data: Uint8Array }
  decryptRow(intermediateKey: KeyHandle, encryptedKey: Uint8Array, data: Uint8Array): Uint8Array

  // Optional fast forms; core composes them from the above where they are absent.

  /** A whole row as wire text. */
  encryptRowJson?(intermediateKey: KeyHandle, plaintext: Uint8Array, meta: RowMeta): string
  /** @param spans Where the two base64 texts stand in `json`: key start, key end, data start, data end. */
  decryptRowJson?(intermediateKey: KeyHandle, json: string | Uint8Array, spans: Uint32Array): Uint8Array
  /**
   * As `encryptRowJson`, off the main thread. What it needs of the key and the plaintext is copied before it returns: the
   * caller may close the one and change the other at once.
   */
  encryptRowJsonAsync?(intermediateKey: KeyHandle, plaintext: Uint8Array, meta: RowMeta): Promise<string>
  /** As `decryptRow`, off the main thread; copies likewise. */
  decryptRowAsync?(intermediateKey: KeyHandle, encryptedKey: Uint8Array, data: Uint8Array): Promise<Uint8Array>
  /** @param packed Payloads. @returns rows as wire text in UTF-8. */
  encryptRowsPacked?(intermediateKey: KeyHandle, packed: Uint8Array, ends: Uint32Array, meta: RowMeta): PackedRows
  /** @param packed Rows as wire text in UTF-8, all under `intermediateKey`. @returns payloads. */
  decryptRowsPacked?(intermediateKey: KeyHandle, packed: Uint8Array, ends: Uint32Array): PackedRows
  /** What `SessionFactory.stats` shows. */
  stats?(): { readonly lockedBytes: number }
  /** Wipes every key that is still open; idempotent. */
  close(): void
}
