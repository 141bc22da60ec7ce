import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { AsherahError } from '@asherah/core/backend'
import { throwIfAborted, toMetastoreError } from './errors.ts'
import type { CallLimits } from './options.ts'
import type { ConnectionSource } from './pool.ts'
import { inTime, unlessAborted } from './settle.ts'

/** What is known of the errors of one database. */
export interface RunRules extends CallLimits {
  /** True when a connection can be used again after this error: the server itself refused the statement. */
  survives(error: unknown): boolean
  isTransient(error: unknown): boolean
  /** What to do about an error that ends the call, for its message. */
  hintOf(error: unknown): string | undefined
}

/**
 * Runs an action on a connection of its own; again, after a pause and on another one, while its error is transient.
 *
 * @param what For messages: `PostgreSQL store`.
 * @throws MetastoreError with the last error as `cause`; AbortedError; an `AsherahError` of the action as it is.
 */
export type Run<C> = <T>(
  what: string,
  signal: AbortSignal | undefined,
  action: (connection: C) => Promise<T>,
) => Promise<T>

const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 1_000

/** One function, not three: each promise between a call and its driver costs as much as reading the answer. */
export function createRun<C>(source: ConnectionSource<C>, rules: RunRules): Run<C> {
  const { queryTimeoutMs, retryTimeoutMs } = rules
  return async (what, signal, action) => {
    // No attempt starts later.
    const deadline = performance.now() + retryTimeoutMs
    for (let tries = 0; ; tries++) {
      throwIfAborted(signal)
      let borrowed: { readonly connection: C } | undefined
      try {
        const connection = await source.acquire(signal)
        borrowed = { connection }
        const answer = inTime(action(connection), queryTimeoutMs, undefined, 'queryTimeoutMs')
        const result = await (signal === undefined ? answer : unlessAborted(answer, signal, () => {}))
        // Given back once, even if that fails.
        borrowed = undefined
        source.release(connection, false)
        return result
      } catch (error) {
        if (borrowed !== undefined) source.release(borrowed.connection, !rules.survives(error))
        if (error instanceof AsherahError) throw error
        const left = deadline - performance.now()
        if (left <= 0 || !rules.isTransient(error)) throw toMetastoreError(what, error, rules.hintOf(error))
        await pause(Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** tries, left), signal)
      }
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
