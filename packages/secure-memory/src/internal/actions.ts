import { types } from 'node:util'
import { InvalidInputError } from '@asherah/core/backend'

/** Runs an action of `withBytes`. @throws InvalidInputError when it returns a thenable. */
export function runAction<T>(action: (bytes: Uint8Array) => T, bytes: Uint8Array): T {
  const result = action(bytes)
  if (isThenable(result)) {
    result.then(undefined, () => {}) // its failure is not the story: the misuse is
    throw new InvalidInputError('the action of withBytes must be synchronous: its bytes are gone when it returns')
  }
  return result
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  )
}

/** libsodium takes 32-bit sizes, and a secret is a key or a document, not a disk. */
const MAX_SECRET_BYTES = 2 ** 30

/** @throws InvalidInputError */
export function checkSecretLength(length: unknown): asserts length is number {
  if (typeof length !== 'number' || !Number.isSafeInteger(length) || length < 1 || length > MAX_SECRET_BYTES) {
    throw new InvalidInputError(
      `a secret is a whole number of bytes from 1 to ${MAX_SECRET_BYTES}, not ${String(length)}`,
    )
  }
}

/** @throws InvalidInputError */
export function checkSecretBytes(bytes: unknown): asserts bytes is Uint8Array {
  if (!types.isUint8Array(bytes)) throw new InvalidInputError('the bytes of a secret must be a Uint8Array')
}
