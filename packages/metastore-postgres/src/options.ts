import { InvalidConfigError } from '@asherah/core/backend'
import {
  checkServerOptions,
  type ReplicaReadConsistency,
  type ServerOptions,
  type ServerSettings,
} from '@asherah/sql-shared'
import { parseConnectionString } from './connection-string.ts'
import type { PgPool } from './pg-types.ts'

/** Options of `createPostgresMetastore`: exactly one of `connectionString`, `config` and `pool`. */
export interface PostgresMetastoreOptions extends ServerOptions<PgPool> {
  /** `postgres://user:password@host:port/database?sslmode=…`, or libpq's `host=… user=…`. */
  readonly connectionString?: string
  /** A `Pool` of `pg`, which stays the caller's: `close` does not end it. */
  readonly pool?: PgPool
  /**
   * Only for Aurora PostgreSQL, through a reader that forwards writes: `apg_write_forward.consistency_mode` of each
   * connection. Default none.
   */
  readonly replicaReadConsistency?: ReplicaReadConsistency
  /**
   * Whether the statements that run often are prepared under a name, which takes half of the server's work from a load. Where
   * a pooler such as PgBouncer refuses the name they run without. Default true.
   */
  readonly preparedStatements?: boolean
}

/** Complete and checked. */
export interface PostgresSettings extends ServerSettings<PgPool> {
  readonly preparedStatements: boolean
}

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: PostgresMetastoreOptions): PostgresSettings {
  const settings = checkServerOptions<PgPool>(
    {
      factory: 'createPostgresMetastore',
      defaultPort: 5_432,
      // The server cuts what is longer.
      maxNameBytes: 63,
      parseConnectionString,
      pool: { what: 'a Pool of pg', method: 'connect' },
      more: ['preparedStatements'],
    },
    options,
  )
  const { preparedStatements = true } = options
  if (typeof preparedStatements !== 'boolean') throw new InvalidConfigError('preparedStatements must be true or false')
  return { ...settings, preparedStatements }
}
