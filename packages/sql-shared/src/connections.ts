import type { Call } from '@asherah/core/backend'
import { abortedError, LostConnectionError } from './errors.ts'
import type { ConnectionSource } from './pool.ts'

/** Runs each action on one connection of its own. */
export interface Connections<C> {
  /** @throws what the action throws; AbortedError; LostConnectionError when it takes too long. */
  use<T>(call: Call | undefined, action: (connection: C) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/**
 * @param survives True when a connection can be used again after this error: the server itself refused the statement.
 */
export function createConnections<C>(
  source: ConnectionSource<C>,
  queryTimeoutMs: number,
  survives: (error: unknown) => boolean,
): Connections<C> {
  return {
    async use(call, action) {
      const connection = await source.acquire(call?.signal)
      let broken = true
      try {
        const result = await bounded(action(connection), queryTimeoutMs, call?.signal)
        broken = false
        return result
      } catch (error) {
        broken = !survives(error)
        throw error
      } finally {
        source.release(connection, broken)
      }
    },
    close: () => source.close(),
  }
}

/** What the action gives, unless the time is over or the signal is aborted first. */
function bounded<T>(action: Promise<T>, timeoutMs: number, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const settle = (end: () => void): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      end()
    }
    const onAbort = (): void => {
      if (signal !== undefined) settle(() => reject(abortedError(signal)))
    }
    const timer = setTimeout(
      () => settle(() => reject(new LostConnectionError(`no answer in ${timeoutMs} ms`))),
      timeoutMs,
    )
    signal?.addEventListener('abort', onAbort)
    action.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
    if (signal?.aborted === true) onAbort()
  })
}
