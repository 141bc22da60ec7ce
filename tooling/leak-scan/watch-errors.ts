import { inspect as inspectValue } from 'node:util'
// The file itself: the package's door would load all of core into tests that do not need it.
import { AsherahError } from '../../packages/core/src/errors.ts'
import type { LeakLog } from './leak-log.ts'

// Taken now: `watch-inspect.ts` replaces the module's.
const inspect = inspectValue

/**
 * Looks at each `AsherahError` that this process makes: its message and those of its causes always, all of it as
 * `util.inspect` prints it for the first of a kind in a test. When the tick's work is done, for the error is whole by then.
 *
 * `super()` of a class calls the prototype of the class, whatever it is at the time: so the product needs no hook.
 */
export function watchErrors(log: LeakLog): void {
  class WatchedError extends Error {
    constructor(message?: string, options?: ErrorOptions) {
      super(message, options)
      queueMicrotask(() => lookAtError(this, log))
    }
  }
  Object.setPrototypeOf(AsherahError, WatchedError)
}

/** @param error thrown or not. */
function lookAtError(error: Error, log: LeakLog): void {
  const what = (): string => `${error.name}${placeOf(error)}`
  log.look(() => `the message of ${what()}`, `${error.message}\n${String(error)}`)
  const causes: unknown[] = []
  for (let { cause } = error; cause instanceof Error && causes.length < 10; { cause } = cause) {
    causes.push(cause)
    log.look(() => `a cause of ${what()}`, cause.message)
  }
  const named = [error, ...causes].map((one) => (one instanceof Error ? `${one.name} ${one.message}` : ''))
  if (log.isNew(named.join('\n').replace(/\d+|"[^"]*"/g, ''))) {
    log.look(() => `util.inspect() of ${what()}`, inspected(error))
  }
}

/** Where it was made: of the stack's lines the first, without the message above them. */
function placeOf(error: Error): string {
  const line = error.stack?.split('\n').find((one) => /^\s+at .+:\d+:\d+\)?$/.test(one))
  return line === undefined ? '' : ` made ${line.trim()}`
}

/** With what does not enumerate too. A value that cannot be inspected, as hostile tests make them, shows nothing. */
export function inspected(value: unknown): string {
  try {
    return inspect(value, { depth: 10, showHidden: true })
  } catch {
    return ''
  }
}
