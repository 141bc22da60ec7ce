import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { AsherahError } from '@asherah/core/backend'
import { throwIfAborted, toMetastoreError } from './errors.ts'

/** How {@link retryTransient} goes on. */
export interface RetryOptions {
  /** For messages: `PostgreSQL store`. */
  readonly what: string
  /** No attempt starts later than this after the first one, in milliseconds; 0: one attempt. */
  readonly retryTimeoutMs: number
  readonly signal: AbortSignal | undefined
  isTransient(error: unknown): boolean
  /** What to do about an error that ends it, for its message. */
  hintOf?(error: unknown): string | undefined
}

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1_000

/**
 * Runs an action, again after a pause while its error is transient.
 *
 * @throws MetastoreError with the last error as `cause`; an `AsherahError` of the action as it is.
 */
export async function retryTransient<T>(options: RetryOptions, attempt: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + options.retryTimeoutMs
  for (let tries = 0; ; tries++) {
    throwIfAborted(options.signal)
    try {
      return await attempt()
    } catch (error) {
      if (error instanceof AsherahError) throw error
      const left = deadline - performance.now()
      if (left <= 0 || !options.isTransient(error)) throw toMetastoreError(options.what, error, options.hintOf?.(error))
      await pause(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries, left), options.signal)
    }
  }
}

/**
 * Waits for half of the time or more, at random: processes that met once do not meet at each try.
 *
 * @throws AbortedError
 */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  const jittered = ms * (0.5 + Math.random() / 2)
  await sleep(jittered, undefined, signal === undefined ? {} : { signal }).catch(() => throwIfAborted(signal))
}
