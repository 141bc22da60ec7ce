import { abortedError, LostConnectionError } from './errors.ts'

/**
 * What the promise gives, or a {@link LostConnectionError} when it takes longer.
 *
 * @param late What to do with a value that comes after that.
 * @param option The option that the time is of, for the message.
 */
export function inTime<T>(
  promise: Promise<T>,
  ms: number,
  late?: (value: T) => void,
  option = 'connectTimeoutMs',
): Promise<T> {
  return new Promise((resolve, reject) => {
    let over = false
    const timer = setTimeout(() => {
      over = true
      reject(new LostConnectionError(`no answer in ${ms} ms (${option})`))
    }, ms)
    promise.then(
      (value) => {
        clearTimeout(timer)
        if (over) late?.(value)
        else resolve(value)
      },
      (error: unknown) => {
        clearTimeout(timer)
        reject(error)
      },
    )
  })
}

/**
 * What the promise gives, or an `AbortedError` when the signal is aborted first.
 *
 * @param late What to do with a value that comes after that.
 */
export function unlessAborted<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  late: (value: T) => void,
): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortedError(signal))
    signal.addEventListener('abort', onAbort)
    promise.then(
      (value) => {
        signal.removeEventListener('abort', onAbort)
        if (signal.aborted) late(value)
        else resolve(value)
      },
      (error: unknown) => {
        signal.removeEventListener('abort', onAbort)
        reject(error)
      },
    )
    if (signal.aborted) onAbort()
  })
}
