import { AbortedError, ClosedError } from '@asherah/core/backend'
import type { ConnectionSource } from '@asherah/sql-shared'
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

interface GivenConnection extends MssqlConnection {
  cancel(): void
}

/** A pool that stays the caller's: each statement takes a connection of it, and `close` leaves it open. */
export function createGivenConnections(pool: MssqlPool): ConnectionSource<MssqlConnection> {
  let closed = false
  const running = new Map<MssqlConnection, GivenConnection>()
  let whenIdle = (): void => {}
  return {
    async acquire(signal) {
      if (signal?.aborted === true) throw new AbortedError('the metastore call was aborted', { cause: signal.reason })
      if (closed) throw new ClosedError('the SQL Server metastore is closed')
      const connection = connectionOf(pool)
      running.set(connection, connection)
      return connection
    },
    release(connection, broken) {
      // An aborted or overdue request still holds a connection of the pool.
      if (broken) running.get(connection)?.cancel()
      running.delete(connection)
      if (running.size === 0) whenIdle()
    },
    close() {
      closed = true
      return new Promise((resolve) => {
        const before = whenIdle
        whenIdle = () => {
          before()
          resolve()
        }
        if (running.size === 0) whenIdle()
      })
    },
  }
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
