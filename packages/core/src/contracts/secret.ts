import type { KeyObject } from 'node:crypto'
import type { Readable } from 'node:stream'

/** Bytes in protected memory. They are visible only inside an action. */
export interface Secret {
  /** In bytes. */
  readonly length: number
  readonly closed: boolean
  /** Wipes the bytes; idempotent. An action that runs at the time ends first. */
  close(): void
  /** A stream of copies of the secret's bytes, for large secrets: whoever reads it wipes them. */
  reader(): Readable
  /**
   * Runs an action on the bytes.
   *
   * The view is dead when the action returns: detached (length 0) or wiped. A thenable result throws `InvalidInputError`,
   * since the bytes would be gone before it settles.
   *
   * @throws ClosedError
   */
  withBytes<T>(action: (bytes: Uint8Array) => T): T
  /** As {@link withBytes}, until the action's promise settles. For handing a system key to a KMS, and nothing else. */
  withBytesAsync<T>(action: (bytes: Uint8Array) => Promise<T>): Promise<T>
  /** A `KeyObject` of the secret, closed with it. Only where the factory's bytes live on the heap anyway. */
  keyObject?(): KeyObject
}

/** Makes {@link Secret}s. */
export interface SecretFactory {
  /** Takes the bytes over: `bytes` is wiped before this returns or throws. */
  fromBytes(bytes: Uint8Array): Secret
  /** A secret of `length` bytes from the system's CSPRNG. */
  createRandom(length: number): Secret
  /** Optional: what `SessionFactory.stats` shows. */
  stats?(): { readonly lockedBytes: number }
  /** Wipes every secret that is still open; idempotent. */
  close(): void
}
