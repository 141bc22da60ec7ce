import { borrowConnections, type ConnectionSource } from '@asherah/sql-shared'
import type { MssqlConnection, StatementRow } from './statement.ts'

/** What we use of a `Request` of `mssql`. */
export interface MssqlRequest {
  input(name: string, value: unknown): unknown
  query(text: string): Promise<{ readonly recordset?: unknown; readonly rowsAffected: readonly number[] }>
  cancel(): unknown
}

/** What we use of a `ConnectionPool` of `mssql`. */
export interface MssqlPool {
  request(): MssqlRequest
}

/** A request of the pool that can be ended. */
export interface GivenConnection extends MssqlConnection {
  cancel(): void
}

/** Borrowing is done at once. */
const NEVER_MS = 2 ** 31 - 1

/** A pool that stays the caller's: each statement takes a connection of it. */
export function createGivenConnections(pool: MssqlPool): ConnectionSource<GivenConnection> {
  const borrowed = {
    borrow: async () => connectionOf(pool),
    // An aborted or overdue request still holds a connection of the pool.
    giveBack: (connection: GivenConnection, broken: boolean) => {
      if (broken) connection.cancel()
    },
    prepare: async () => {},
  }
  // The request itself waits for a connection of the pool, by the pool's own limit.
  return borrowConnections('SQL Server', borrowed, NEVER_MS)
}

function connectionOf(pool: MssqlPool): GivenConnection {
  let current: MssqlRequest | undefined
  return {
    async run(text, parameters) {
      const request = pool.request()
      current = request
      for (const [name, value] of Object.entries(parameters)) request.input(name, value)
      try {
        const { recordset, rowsAffected } = await request.query(text)
        return { rows: rowsOf(recordset), affected: rowsAffected[0] ?? 0 }
      } finally {
        current = undefined
      }
    },
    cancel: () => void current?.cancel(),
  }
}

function rowsOf(recordset: unknown): readonly StatementRow[] {
  return Array.isArray(recordset) ? recordset : []
}
