import type { Call } from '@asherah/core/backend'
import type { ConnectionSource } from './pool.ts'
import { inTime, unlessAborted } from './settle.ts'

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
      const signal = call?.signal
      const connection = await source.acquire(signal)
      try {
        const result = await unlessAborted(
          inTime(action(connection), queryTimeoutMs, undefined, 'queryTimeoutMs'),
          signal,
          () => {},
        )
        source.release(connection, false)
        return result
      } catch (error) {
        source.release(connection, !survives(error))
        throw error
      }
    },
    close: () => source.close(),
  }
}
