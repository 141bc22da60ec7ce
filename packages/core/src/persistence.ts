import { randomUUID } from 'node:crypto'
import type { Call } from './contracts/call.ts'
import type { Persistence } from './contracts/persistence.ts'
import { InvalidInputError } from './errors.ts'

/**
 * A {@link Persistence} of two functions. A record stored without a key gets a random UUID.
 *
 * @param load Null or undefined: nothing there.
 * @throws InvalidInputError when one of them is not a function.
 */
export function adhocPersistence<D>(
  load: (key: string, options?: Call) => Promise<D | null | undefined>,
  store: (key: string, record: D, options?: Call) => Promise<void>,
): Persistence<D> {
  if (typeof load !== 'function' || typeof store !== 'function') {
    throw new InvalidInputError('adhocPersistence takes two functions: load(key) and store(key, record)')
  }
  return {
    load,
    async store(key, record, options) {
      // Without Node's cache of UUIDs: two processes restored from one snapshot must not overwrite each other's records.
      const storedKey = key ?? randomUUID({ disableEntropyCache: true })
      await store(storedKey, record, options)
      return storedKey
    },
  }
}
