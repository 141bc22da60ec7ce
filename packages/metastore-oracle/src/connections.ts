import { AbortedError, ClosedError } from '@asherah/core/backend'
import { type ConnectionSource, createPool } from '@asherah/sql-shared'
import oracledb from 'oracledb'
import type { OwnConnections } from './options.ts'
import type { OracleConnection, OraclePool } from './oracle-types.ts'

/**
 * What our statements count on: TIMESTAMP WITH LOCAL TIME ZONE columns in UTC, and ids compared and ordered by their
 * bytes, whatever a logon trigger or the environment set.
 */
export const SESSION_SETTINGS = "ALTER SESSION SET TIME_ZONE = 'UTC' NLS_COMP = BINARY NLS_SORT = BINARY"

/** Connections of our own. Nothing is opened before the first call. */
export function createOwnConnections({ target, wallet, pool }: OwnConnections): ConnectionSource<OracleConnection> {
  return createPool<OracleConnection>(
    'Oracle',
    {
      async open() {
        const connection: OracleConnection = await oracledb.getConnection({ ...target, ...wallet })
        await connection.execute(SESSION_SETTINGS, {}, {})
        return connection
      },
      close: endQuietly,
      isOpen: (connection) => connection.isHealthy?.() !== false,
      ping: (connection) => connection.execute('SELECT 1 FROM dual', {}, {}),
    },
    pool,
  )
}

/** A pool that stays the caller's: `close` leaves it open. */
export function createGivenConnections(pool: OraclePool): ConnectionSource<OracleConnection> {
  let closed = false
  const out = new Set<OracleConnection>()
  let whenIdle = (): void => {}
  return {
    async acquire(signal) {
      if (signal?.aborted === true) throw new AbortedError('the metastore call was aborted', { cause: signal.reason })
      if (closed) throw new ClosedError('the Oracle metastore is closed')
      const connection = await orAborted(pool.getConnection(), signal)
      out.add(connection)
      return connection
    },
    release(connection, broken) {
      out.delete(connection)
      // A broken one is dropped from the caller's pool.
      connection.close(broken ? { drop: true } : undefined).catch(() => {})
      if (out.size === 0) whenIdle()
    },
    close() {
      closed = true
      return new Promise((resolve) => {
        const before = whenIdle
        whenIdle = () => {
          before()
          resolve()
        }
        if (out.size === 0) whenIdle()
      })
    },
  }
}

/** Gives a connection back that comes after its caller has gone. */
function orAborted(waiting: Promise<OracleConnection>, signal: AbortSignal | undefined): Promise<OracleConnection> {
  if (signal === undefined) return waiting
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(new AbortedError('the metastore call was aborted', { cause: signal.reason }))
      waiting.then(endQuietly, () => {})
    }
    signal.addEventListener('abort', onAbort, { once: true })
    waiting.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

function endQuietly(connection: OracleConnection): void {
  connection.close().catch(() => {})
}
