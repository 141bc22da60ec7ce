import { createSqlMetastore, type SqlMetastore } from '@asherah/sql-shared'
import { createDialect } from './dialect.ts'
import { createGivenConnections } from './mssql-pool.ts'
import { checkOptions, type MssqlMetastoreOptions } from './options.ts'
import { createOwnConnections } from './tedious-connections.ts'

/** A {@link Metastore} in SQL Server or Azure SQL, with every optional capability. */
export type MssqlMetastore = SqlMetastore

/**
 * A metastore in Microsoft SQL Server or Azure SQL, on `tedious`.
 *
 * An existing table is used as it is, and nothing migrates: `schema.sql` is for new installs. Nothing is opened before the
 * first call, and `close` ends only what this metastore opened.
 *
 * @throws InvalidConfigError for an unknown or bad option, and for a connection string that it cannot use; no message has
 * the string or a password in it.
 * @example
 * const metastore = createMssqlMetastore({ connectionString: process.env.SQLSERVER_URL })
 */
export function createMssqlMetastore(options: MssqlMetastoreOptions): MssqlMetastore {
  const settings = checkOptions(options)
  const { connections, queryTimeoutMs, retryTimeoutMs, maxKeyIdLength, regionSuffix, readsMayLag } = settings
  const source = 'given' in connections ? createGivenConnections(connections.given) : createOwnConnections(connections)
  return createSqlMetastore(createDialect(settings), source, {
    queryTimeoutMs,
    retryTimeoutMs,
    readsMayLag,
    regionSuffix,
    maxKeyId: { unit: 'utf16', length: maxKeyIdLength },
  })
}
