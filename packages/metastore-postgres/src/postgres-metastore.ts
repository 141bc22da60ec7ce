import { createPool, createSqlMetastore, type SqlMetastore } from '@asherah/sql-shared'
import { createBorrowedConnections } from './borrowed.ts'
import { createConnector } from './connector.ts'
import { createDialect } from './dialect.ts'
import { checkOptions, type PostgresMetastoreOptions } from './options.ts'
import { statementTexts } from './statements.ts'

/** A `Metastore` in PostgreSQL, with every optional capability. */
export type PostgresMetastore = SqlMetastore

/**
 * A metastore in PostgreSQL, on `pg`. Nothing is connected before the first call, and no table is made: `schema.sql` of
 * this package is for new installs.
 *
 * @throws InvalidConfigError for an unknown, missing or bad option.
 * @example
 * const metastore = createPostgresMetastore({ connectionString: process.env.POSTGRES_URL ?? '' })
 */
export function createPostgresMetastore(options: PostgresMetastoreOptions): PostgresMetastore {
  const settings = checkOptions(options)
  const { replicaReadConsistency, maxKeyIdLength, preparedStatements } = settings
  const texts = statementTexts(settings.tableName, settings.schemaName)
  const dialect = createDialect(texts, {
    isReplica: replicaReadConsistency !== undefined,
    isPrepared: preparedStatements,
  })
  const metastore = {
    ...settings,
    maxKeyId: { unit: 'codePoints', length: maxKeyIdLength },
    readsMayLag: replicaReadConsistency === 'eventual' || replicaReadConsistency === 'session',
  } as const
  const { connections } = settings
  if ('pool' in connections) {
    const source = createBorrowedConnections(connections.pool, replicaReadConsistency, settings.acquireTimeoutMs)
    return createSqlMetastore(dialect, source, metastore)
  }
  const connector = createConnector(connections.own, replicaReadConsistency)
  return createSqlMetastore(dialect, createPool(dialect.name, connector, connections.own.limits), metastore)
}
