import { codeOf, isNetworkError, LostConnectionError } from '@asherah/sql-shared'
import type { PgClient } from './pg-types.ts'

/** What `pg` and its pool say, without a code, where a connection ended, did not come, or gave no answer. */
const LOST: ReadonlySet<string> = new Set([
  'Client has encountered a connection error and is not queryable',
  'Client was closed and is not queryable',
  'Connection terminated',
  'Connection terminated due to connection timeout',
  'Connection terminated unexpectedly',
  'Query read timeout',
  // A server that cannot start a process for the connection answers the request for TLS with an error.
  'There was an error establishing an SSL connection',
  'timeout exceeded when trying to connect',
  'timeout expired',
])

/**
 * An error of `pg`, which has no code for a connection that ended. What else has none is a fault of a program, of the
 * configuration or of the protocol, which no second try mends.
 *
 * @param hasEnded The connection is known to have ended, whatever the error says.
 */
export function asLost(error: unknown, hasEnded: boolean): unknown {
  if (!(error instanceof Error) || codeOf(error) !== undefined || isNetworkError(error)) return error
  return hasEnded || LOST.has(error.message) ? new LostConnectionError(error.message, { cause: error }) : error
}

/** A client's statements, whose errors say whether its connection was lost. */
export function watchedQuery(client: PgClient, hasEnded: () => boolean): PgClient['query'] {
  return async (statement) => {
    try {
      return await client.query(statement)
    } catch (error) {
      throw asLost(error, hasEnded())
    }
  }
}
