import type { Call } from '../contracts/call.ts'
import type { Persistence } from '../contracts/persistence.ts'
import { InvalidInputError } from '../errors.ts'

/** The two forms of `store`: with the persistence's key, and with the caller's. */
export type StoreArguments<P, D> =
  | [payload: P, persistence: Pick<Persistence<D>, 'store'>, options?: Call | undefined]
  | [key: string, payload: P, persistence: Pick<Persistence<D>, 'store'>, options?: Call | undefined]

/** @throws InvalidInputError when `load` cannot be called with these. */
export function checkLoadArguments(key: unknown, persistence: unknown): void {
  checkKey(key)
  if (!has(persistence, 'load')) throw new InvalidInputError('load takes a key and a persistence, which has load(key)')
}

/** Encrypts and stores, in either form. @returns the key. */
export async function storeRecord<P, D>(
  session: { encrypt(payload: P, options: Call): Promise<D> },
  given: StoreArguments<P, D>,
): Promise<string> {
  if (isKeyed(given)) {
    const [key, payload, persistence, options = {}] = given
    checkKey(key)
    return persistence.store(key, await session.encrypt(payload, options), options)
  }
  const [payload, persistence, options = {}] = given
  if (!has(persistence, 'store')) {
    throw new InvalidInputError(
      'store takes (payload, persistence) or (key, payload, persistence), which has store(key, record)',
    )
  }
  return persistence.store(undefined, await session.encrypt(payload, options), options)
}

/** The third argument tells: options have no `store`. */
function isKeyed<P, D>(
  given: StoreArguments<P, D>,
): given is [key: string, payload: P, persistence: Pick<Persistence<D>, 'store'>, options?: Call | undefined] {
  return has(given[2], 'store')
}

function checkKey(key: unknown): void {
  if (typeof key !== 'string' || key === '')
    throw new InvalidInputError('the key of a stored record is a non-empty string')
}

function has(value: unknown, method: 'load' | 'store'): boolean {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, method) === 'function'
}
