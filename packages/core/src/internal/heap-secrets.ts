import { createSecretKey, type KeyObject, randomFillSync } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Secret, SecretFactory } from '../contracts/secret.ts'
import { ClosedError, InvalidInputError } from '../errors.ts'
import { offHeapBytes, offHeapCopy } from './bytes.ts'

/**
 * Secrets on the ordinary heap: unpooled, wiped on close, but neither locked against swap nor kept out of core dumps.
 *
 * It works everywhere. `@asherah/secure-memory` has the same interface over protected memory. The `KeyObject` of a
 * secret is a copy that OpenSSL frees without a promised wipe.
 */
export function createHeapSecrets(): SecretFactory {
  const open = new Set<Secret>()
  let closed = false
  const add = (bytes: Uint8Array<ArrayBuffer>): Secret => new HeapSecret(bytes, open)
  return {
    fromBytes(bytes) {
      try {
        if (closed) throw new ClosedError('the secret factory is closed')
        checkLength(bytes.byteLength)
        return add(offHeapCopy(bytes))
      } finally {
        bytes.fill(0)
      }
    },
    createRandom(length) {
      if (closed) throw new ClosedError('the secret factory is closed')
      checkLength(length)
      return add(randomFillSync(offHeapBytes(length)))
    },
    close() {
      closed = true
      for (const secret of open) secret.close()
    },
  }
}

function checkLength(length: number): void {
  if (!Number.isSafeInteger(length) || length < 1) {
    throw new InvalidInputError(`a secret is at least 1 byte long and a whole number of bytes, not ${length}`)
  }
}

/** A class, since there is one for each cached key: its methods are made once. */
class HeapSecret implements Secret {
  readonly length: number
  readonly #bytes: Uint8Array<ArrayBuffer>
  /** The factory's open secrets. */
  readonly #open: Set<Secret>
  #closed = false
  #users = 0
  #keyObject: KeyObject | undefined = undefined

  constructor(bytes: Uint8Array<ArrayBuffer>, open: Set<Secret>) {
    this.length = bytes.byteLength
    this.#bytes = bytes
    this.#open = open
    open.add(this)
  }

  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#users === 0) this.#wipe()
  }

  withBytes<T>(action: (bytes: Uint8Array) => T): T {
    const view = this.#enter()
    try {
      const result = action(view)
      if (isThenable(result)) {
        result.then(undefined, () => {}) // its failure is not the story: the misuse is
        throw new InvalidInputError('the action of withBytes must be synchronous: its bytes are wiped when it returns')
      }
      return result
    } finally {
      this.#leave(view)
    }
  }

  async withBytesAsync<T>(action: (bytes: Uint8Array) => Promise<T>): Promise<T> {
    const view = this.#enter()
    try {
      return await action(view)
    } finally {
      this.#leave(view)
    }
  }

  reader(): Readable {
    this.#checkOpen()
    return Readable.from(chunks(this), { objectMode: false })
  }

  keyObject(): KeyObject {
    this.#checkOpen()
    this.#keyObject ??= createSecretKey(this.#bytes)
    return this.#keyObject
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('the secret is closed')
  }

  #enter(): Uint8Array {
    this.#checkOpen()
    this.#users += 1
    // A copy, so that a view kept by the action is wiped when the action ends, and not when the secret is closed.
    return offHeapCopy(this.#bytes)
  }

  #leave(view: Uint8Array): void {
    view.fill(0)
    this.#users -= 1
    if (this.#closed && this.#users === 0) this.#wipe()
  }

  #wipe(): void {
    this.#bytes.fill(0)
    this.#keyObject = undefined
    this.#open.delete(this)
  }
}

const CHUNK_BYTES = 16_384

function* chunks(secret: Secret): Generator<Buffer> {
  for (let at = 0; at < secret.length; at += CHUNK_BYTES) {
    yield secret.withBytes((bytes) => {
      const part = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, bytes.byteLength - at))
      part.set(bytes.subarray(at, at + part.byteLength))
      return part
    })
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}
