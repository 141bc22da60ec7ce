import { borrowConnections, type ConnectionSource, createPool, inTime } from '@asherah/sql-shared'
import oracledb from 'oracledb'
import type { OwnConnections } from './options.ts'
import type { OracleConnection, OraclePool } from './oracle-types.ts'

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
          await inTime(connection.execute(SESSION_SETTINGS, {}, {}), pool.connectTimeoutMs)
        } catch (error) {
          endQuietly(connection)
          throw error
        }
        return connection
      },
      close: endQuietly,
      isOpen: (connection) => connection.isHealthy?.() !== false,
      ping: (connection) => connection.execute('SELECT 1 FROM dual', {}, {}),
    },
    pool,
  )
}

/** A pool that stays the caller's, with its sessions as they are. */
export function createGivenConnections(pool: OraclePool, acquireTimeoutMs: number): ConnectionSource<OracleConnection> {
  const borrowed = {
    borrow: () => pool.getConnection(),
    giveBack(connection: OracleConnection, broken: boolean) {
      connection.close(broken ? { drop: true } : undefined).catch(() => {})
    },
    // Nothing: the sessions have other users, and no statement of ours counts on a setting.
    prepare: async () => {},
  }
  return borrowConnections('Oracle', borrowed, acquireTimeoutMs)
}

function endQuietly(connection: OracleConnection): void {
  connection.close().catch(() => {})
}
