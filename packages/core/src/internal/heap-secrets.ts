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
  const add = (bytes: Uint8Array<ArrayBuffer>): Secret => {
    const secret = heapSecret(bytes, () => open.delete(secret))
    open.add(secret)
    return secret
  }
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

function heapSecret(bytes: Uint8Array<ArrayBuffer>, forget: () => void): Secret {
  const length = bytes.byteLength
  let closed = false
  let users = 0
  let keyObject: KeyObject | undefined

  const wipe = (): void => {
    bytes.fill(0)
    keyObject = undefined
    forget()
  }
  const enter = (): Uint8Array => {
    if (closed) throw new ClosedError('the secret is closed')
    users += 1
    // A copy, so that a view kept by the action is wiped when the action ends, and not when the secret is closed.
    return offHeapCopy(bytes)
  }
  const leave = (view: Uint8Array): void => {
    view.fill(0)
    users -= 1
    if (closed && users === 0) wipe()
  }

  return {
    length,
    get closed() {
      return closed
    },
    close() {
      if (closed) return
      closed = true
      if (users === 0) wipe()
    },
    withBytes(action) {
      const view = enter()
      try {
        const result = action(view)
        if (isThenable(result)) {
          result.then(undefined, () => {}) // its failure is not the story: the misuse is
          throw new InvalidInputError(
            'the action of withBytes must be synchronous: its bytes are wiped when it returns',
          )
        }
        return result
      } finally {
        leave(view)
      }
    },
    async withBytesAsync(action) {
      const view = enter()
      try {
        return await action(view)
      } finally {
        leave(view)
      }
    },
    reader() {
      if (closed) throw new ClosedError('the secret is closed')
      return Readable.from(chunks(this), { objectMode: false })
    },
    keyObject() {
      if (closed) throw new ClosedError('the secret is closed')
      keyObject ??= createSecretKey(bytes)
      return keyObject
    },
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
