import {
  borrowConnections,
  type ConnectionSource,
  createPool,
  createSqlMetastore,
  type ServerSettings,
  type SqlMetastore,
} from '@asherah/sql-shared'
import { createConnector, prepareSession } from './connector.ts'
import { asLost, createDialect } from './dialect.ts'
import type { MysqlPool, MysqlPoolConnection } from './mysql-types.ts'
import { checkOptions, type MysqlMetastoreOptions } from './options.ts'

/** A `Metastore` in MySQL or MariaDB, with every optional capability. */
export type MysqlMetastore = SqlMetastore

/**
 * A metastore in MySQL or MariaDB, on `mysql2`. Nothing is connected before the first call, and no table is made:
 * `schema.sql` of this package is for new installs.
 *
 * @throws InvalidConfigError for an unknown, missing or bad option.
 * @example
 * const metastore = createMysqlMetastore({ connectionString: process.env.MYSQL_URL ?? '' })
 */
export function createMysqlMetastore(options: MysqlMetastoreOptions): MysqlMetastore {
  const settings = checkOptions(options)
  const { connections, replicaReadConsistency, maxKeyIdLength } = settings
  const dialect = createDialect(settings)
  const metastore = {
    ...settings,
    maxKeyId: { unit: 'codePoints', length: maxKeyIdLength },
    readsMayLag: replicaReadConsistency === 'eventual' || replicaReadConsistency === 'session',
  } as const
  if ('pool' in connections) return createSqlMetastore(dialect, borrowed(connections.pool, settings), metastore)
  const connector = createConnector(connections.own, replicaReadConsistency)
  return createSqlMetastore(dialect, createPool(dialect.name, connector, connections.own.limits), metastore)
}

function borrowed(pool: MysqlPool, settings: ServerSettings<MysqlPool>): ConnectionSource<MysqlPoolConnection> {
  return borrowConnections(
    'MySQL',
    {
      borrow: () => pool.getConnection().catch((error: unknown) => Promise.reject(asLost(error))),
      giveBack: (connection, broken) => (broken ? connection.destroy() : connection.release()),
      // Each time: another user of the pool may have changed the session's zone.
      prepare: (connection) => prepareSession(connection, settings.replicaReadConsistency),
    },
    settings.acquireTimeoutMs,
  )
}
