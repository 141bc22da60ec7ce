import { AsherahError, SessionFactory, type SessionFactoryOptions } from '../src/index.ts'
import { createFakeKms, createFakeMetastore, PRODUCT, SERVICE } from './fakes.ts'

/** The typed error that a promise rejects with. Fails when it resolves, or rejects with an error that is not this library's. */
export async function rejectionOf(promise: Promise<unknown>): Promise<AsherahError> {
  let value: unknown
  try {
    value = await promise
  } catch (error) {
    return typed(error)
  }
  throw new Error(`the promise resolved, to a value of type ${typeof value}`)
}

/** The typed error that an action throws in the same tick. */
export function thrownBy(action: () => unknown): AsherahError {
  try {
    action()
  } catch (error) {
    return typed(error)
  }
  throw new Error('nothing was thrown')
}

function typed(error: unknown): AsherahError {
  if (error instanceof AsherahError) return error
  throw new Error('an untyped error was thrown', { cause: error })
}

/** Calls a method with arguments that its type refuses. */
export function callAny(target: object, method: string, ...args: readonly unknown[]): unknown {
  const found: unknown = Reflect.get(target, method)
  if (typeof found !== 'function') throw new Error(`there is no method ${method}`)
  return Reflect.apply(found, target, args)
}

/** As {@link callAny}, for a method that must return a promise whatever it is given: a throw in the same tick fails. */
export function promiseOf(target: object, method: string, ...args: readonly unknown[]): Promise<unknown> {
  let result: unknown
  try {
    result = callAny(target, method, ...args)
  } catch (error) {
    throw new Error(`${method} threw instead of rejecting`, { cause: error })
  }
  if (!(result instanceof Promise)) throw new Error(`${method} did not return a promise`)
  return result
}

/** A factory of options that the type refuses. */
export function factoryOfAny(options: unknown): SessionFactory {
  return Reflect.construct(SessionFactory, [options])
}

/** The four options that a factory needs, over fakes. */
export function minimalOptions(): SessionFactoryOptions {
  return { service: SERVICE, product: PRODUCT, metastore: createFakeMetastore(), kms: createFakeKms() }
}

/** A value without its type: as a backend in plain JavaScript would give it. */
export function untyped(value: unknown) {
  const name: string = 'value'
  return Reflect.get({ value }, name)
}

/** What a value is, for the name of a test. */
export function nameOf(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'object' && value !== null) return Object.prototype.toString.call(value)
  return typeof value === 'bigint' ? `${value}n` : String(value)
}

/** For a value that the test itself was to make: `records[0] ?? raise()`. */
export function raise(): never {
  throw new Error('the test made fewer records than it reads')
}

export const isAllZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)
