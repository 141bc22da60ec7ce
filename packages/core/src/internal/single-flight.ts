import type { Call } from '../contracts/call.ts'
import { AbortedError } from '../errors.ts'

/** One piece of work for all who ask for the same key at the same time. */
export interface SingleFlight<T> {
  /** How many pieces of work run. */
  readonly size: number
  has(key: string): boolean
  /**
   * Joins the work for `key`, or starts it.
   *
   * One caller's abort rejects that caller only; when the last one has left, the work's own signal aborts. The work of a
   * first caller who cannot abort has no signal: that caller stays to the end. A failure goes to each waiter and is not kept.
   */
  run(key: string, signal: AbortSignal | undefined, work: (signal: AbortSignal | undefined) => Promise<T>): Promise<T>
}

interface Waiter<T> {
  readonly resolve: (value: T) => void
  readonly reject: (reason: unknown) => void
}

interface Flight<T> {
  readonly waiters: Set<Waiter<T>>
  readonly abort: AbortController | undefined
}

/**
 * @param acquire Called for each waiter before it gets the value, so that nothing can close it in between. The work gives its
 * value with one reference of its own, which `release` takes back.
 */
export function createSingleFlight<T>(acquire: (value: T) => void, release: (value: T) => void): SingleFlight<T> {
  const flights = new Map<string, Flight<T>>()

  const start = (key: string, canAbort: boolean, work: (signal: AbortSignal | undefined) => Promise<T>): Flight<T> => {
    const flight: Flight<T> = { waiters: new Set(), abort: canAbort ? new AbortController() : undefined }
    const end = (): void => {
      if (flights.get(key) === flight) flights.delete(key)
    }
    flights.set(key, flight)
    // The work starts in this tick: waiters that join in the same tick find the flight.
    work(flight.abort?.signal).then(
      (value) => {
        end()
        for (const waiter of flight.waiters) {
          acquire(value)
          waiter.resolve(value)
        }
        release(value)
      },
      (reason: unknown) => {
        end()
        for (const waiter of flight.waiters) waiter.reject(reason)
      },
    )
    return flight
  }

  return {
    get size() {
      return flights.size
    },
    has: (key) => flights.has(key),
    run(key, signal, work) {
      if (signal?.aborted) return Promise.reject(abortedError(signal))
      const flight = flights.get(key) ?? start(key, signal !== undefined, work)
      if (signal === undefined) return new Promise<T>((resolve, reject) => flight.waiters.add({ resolve, reject }))
      return new Promise<T>((resolve, reject) => {
        const onAbort = (): void => {
          flight.waiters.delete(waiter)
          if (flight.waiters.size === 0) {
            if (flights.get(key) === flight) flights.delete(key)
            flight.abort?.abort()
          }
          reject(abortedError(signal))
        }
        const settle = (): void => signal.removeEventListener('abort', onAbort)
        const waiter: Waiter<T> = {
          resolve(value) {
            settle()
            resolve(value)
          },
          reject(reason) {
            settle()
            reject(reason)
          },
        }
        flight.waiters.add(waiter)
        signal.addEventListener('abort', onAbort, { once: true })
      })
    },
  }
}

const NO_SIGNAL: Call = {}

/** The options of a call with this signal, or with none. */
export function callOf(signal: AbortSignal | undefined): Call {
  return signal === undefined ? NO_SIGNAL : { signal }
}

/** What a call whose signal is aborted throws. */
export function abortedError(signal: AbortSignal): AbortedError {
  return new AbortedError('the call was aborted', { cause: signal.reason })
}

/** @throws AbortedError when the signal is aborted. */
export function checkNotAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal)
}
