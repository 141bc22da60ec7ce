import { createSqlMetastore, type SqlMetastore } from '@asherah/sql-shared'
import { createGivenConnections, createOwnConnections } from './connections.ts'
import { createDialect } from './dialect.ts'
import { checkOptions, type OracleMetastoreOptions } from './options.ts'

/** A {@link Metastore} in Oracle Database, with every optional capability. */
export type OracleMetastore = SqlMetastore

/**
 * A metastore in Oracle Database 12.2 or later, on `oracledb` in thin mode: no Oracle client is needed.
 *
 * An existing table is used as it is, and nothing migrates: `schema.sql` is for new installs. Nothing is opened before the
 * first call, and `close` ends only what this metastore opened.
 *
 * @throws InvalidConfigError for an unknown or bad option, and for a connection string that it cannot use; no message has
 * the string or a password in it.
 * @example
 * const metastore = createOracleMetastore({ connectionString: process.env.ORACLE_URL })
 */
export function createOracleMetastore(options: OracleMetastoreOptions): OracleMetastore {
  const settings = checkOptions(options)
  const { connections, queryTimeoutMs, retryTimeoutMs, maxKeyIdLength, regionSuffix } = settings
  const source =
    'given' in connections
      ? createGivenConnections(connections.given, connections.acquireTimeoutMs)
      : createOwnConnections(connections)
  return createSqlMetastore(createDialect(settings), source, {
    queryTimeoutMs,
    retryTimeoutMs,
    readsMayLag: false,
    regionSuffix,
    maxKeyId: { unit: 'bytes', length: maxKeyIdLength },
  })
}
