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
import { checkOptions, type PostgresMetastoreOptions } from './options.ts'
import type { PgPool, PgPoolClient } from './pg-types.ts'
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
  const { replicaReadConsistency, maxKeyIdLength } = settings
  const texts = statementTexts(settings.tableName, settings.schemaName)
  const dialect = createDialect(texts, replicaReadConsistency !== undefined)
  const metastore = {
    ...settings,
    maxKeyId: { unit: 'codePoints', length: maxKeyIdLength },
    readsMayLag: replicaReadConsistency === 'eventual' || replicaReadConsistency === 'session',
  } as const
  const { connections } = settings
  if ('pool' in connections) return createSqlMetastore(dialect, borrowed(connections.pool, settings), metastore)
  const connector = createConnector(connections.own, replicaReadConsistency)
  return createSqlMetastore(dialect, createPool(dialect.name, connector, connections.own.limits), metastore)
}

function borrowed(pool: PgPool, settings: ServerSettings<PgPool>): ConnectionSource<PgPoolClient> {
  return borrowConnections(
    'PostgreSQL',
    {
      borrow: () => pool.connect().catch((error: unknown) => Promise.reject(asLost(error))),
      giveBack: (client, broken) => client.release(broken),
      prepare: (client) => prepareSession(client, settings.replicaReadConsistency),
    },
    settings.acquireTimeoutMs,
  )
}
