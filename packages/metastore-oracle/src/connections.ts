import { borrowConnections, type ConnectionSource, createPool, inTime } from '@asherah/sql-shared'
import oracledb from 'oracledb'
import type { OwnConnections } from './options.ts'
import type { OracleConnection, OraclePool } from './oracle-types.ts'
import { isRunning, sessionOf } from './session.ts'

/**
 * What our statements count on: TIMESTAMP WITH LOCAL TIME ZONE columns in UTC, and ids compared and ordered by their
 * bytes, whatever a logon trigger or the environment set.
 */
const SESSION_SETTINGS = "ALTER SESSION SET TIME_ZONE = '+00:00' NLS_COMP = BINARY NLS_SORT = BINARY"

/** Connections of our own. Nothing is opened before the first call. */
export function createOwnConnections({ target, wallet, pool }: OwnConnections): ConnectionSource<OracleConnection> {
  return createPool<OracleConnection>(
    'Oracle',
    {
      async open() {
        const connection: OracleConnection = await oracledb.getConnection({ ...target, ...wallet })
        try {
          await inTime(sessionOf(connection).run(SESSION_SETTINGS, {}), pool.connectTimeoutMs)
        } catch (error) {
          end(connection, true)
          throw error
        }
        return connection
      },
      close: end,
      isOpen: (connection) => connection.isHealthy?.() !== false,
      ping: (connection) => sessionOf(connection).run('SELECT 1 FROM dual', {}),
    },
    pool,
  )
}

/** A pool that stays the caller's, with its sessions as they are. */
export function createGivenConnections(pool: OraclePool, acquireTimeoutMs: number): ConnectionSource<OracleConnection> {
  const borrowed = {
    borrow: () => pool.getConnection(),
    giveBack: end,
    // Nothing: the sessions have other users, and no statement of ours counts on a setting.
    prepare: async () => {},
  }
  return borrowConnections('Oracle', borrowed, acquireTimeoutMs)
}

/** Ends a connection of our own, or gives one back to its pool, which keeps it unless it is broken. */
function end(connection: OracleConnection, broken: boolean): void {
  const ended = broken ? breakAndDrop(connection) : connection.close()
  // What is closed already cannot be closed.
  ended.catch(() => {})
}

/**
 * A connection runs one operation at a time, so to close it waits for the statement that runs, if need be for ever. Where none
 * runs, a break would leave the server's answer to it unread.
 */
async function breakAndDrop(connection: OracleConnection): Promise<void> {
  if (isRunning(connection)) await connection.break?.().catch(() => {})
  await connection.close({ drop: true })
}
