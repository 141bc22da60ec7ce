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
}

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: PostgresMetastoreOptions): ServerSettings<PgPool> {
  return checkServerOptions<PgPool>(
    {
      factory: 'createPostgresMetastore',
      defaultPort: 5_432,
      // The server cuts what is longer.
      maxNameBytes: 63,
      parseConnectionString,
      pool: { what: 'a Pool of pg', method: 'connect' },
    },
    options,
  )
}
