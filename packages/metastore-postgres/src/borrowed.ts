import { borrowConnections, type ConnectionSource, type ReplicaReadConsistency } from '@asherah/sql-shared'
import { prepareSession } from './connector.ts'
import { asLost, watchedQuery } from './lost-connections.ts'
import type { PgClient, PgPool } from './pg-types.ts'

/** A client of the caller's pool, until it is given back. */
interface BorrowedClient extends PgClient {
  giveBack(broken: boolean): void
}

/** Connections of a pool that the caller made. */
export function createBorrowedConnections(
  pool: PgPool,
  consistency: ReplicaReadConsistency | undefined,
  acquireTimeoutMs: number,
): ConnectionSource<BorrowedClient> {
  const borrowed = {
    borrow: () => borrow(pool),
    giveBack: (client: BorrowedClient, broken: boolean) => client.giveBack(broken),
    prepare: (client: BorrowedClient) => prepareSession(client, consistency),
  }
  return borrowConnections('PostgreSQL', borrowed, acquireTimeoutMs)
}

async function borrow(pool: PgPool): Promise<BorrowedClient> {
  const client = await pool.connect().catch((error: unknown) => Promise.reject(asLost(error, false)))
  let hasEnded = false
  const onError = (): void => {
    hasEnded = true
  }
  // The pool does not listen until it has its client back, and an error that nobody listens to ends the process.
  client.on?.('error', onError)
  return {
    query: watchedQuery(client, () => hasEnded),
    giveBack(broken) {
      client.release(broken)
      client.off?.('error', onError)
    },
  }
}
