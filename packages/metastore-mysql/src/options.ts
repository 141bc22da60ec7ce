import { isIP } from 'node:net'
import { InvalidConfigError } from '@asherah/core/backend'
import {
  checkServerOptions,
  type ReplicaReadConsistency,
  type ServerOptions,
  type ServerSettings,
} from '@asherah/sql-shared'
import { parseConnectionString } from './connection-string.ts'
import type { MysqlPool } from './mysql-types.ts'

/** Options of `createMysqlMetastore`: exactly one of `connectionString`, `config` and `pool`. */
export interface MysqlMetastoreOptions extends ServerOptions<MysqlPool> {
  /** `mysql://user:password@host:port/database?ssl-mode=…`, or the Go driver's `user:password@tcp(host:port)/database`. */
  readonly connectionString?: string
  /**
   * A pool of `mysql2/promise`, which stays the caller's: `close` does not end it. The time zone and the SQL mode of
   * its sessions are set, so it should be the metastore's alone.
   */
  readonly pool?: MysqlPool
  /** The database that has the table. Default: the connection's. Quoted as it is. */
  readonly schemaName?: string
  /**
   * Only for Aurora MySQL, through a reader that forwards writes: `aurora_replica_read_consistency` of each connection.
   * Default none.
   */
  readonly replicaReadConsistency?: ReplicaReadConsistency
}

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: MysqlMetastoreOptions): ServerSettings<MysqlPool> {
  const settings = checkServerOptions<MysqlPool>(
    {
      factory: 'createMysqlMetastore',
      defaultPort: 3_306,
      maxNameBytes: 64 * 4,
      parseConnectionString,
      pool: { what: 'a pool of mysql2/promise', method: 'getConnection' },
    },
    options,
  )
  const { connections } = settings
  if ('own' in connections && connections.own.tls?.rejectUnauthorized === true) checkServerName(connections.own.tls)
  return settings
}

/** `mysql2` can only verify names. */
function checkServerName({ servername }: { readonly servername?: string }): void {
  if (servername === undefined || isIP(servername) !== 0) {
    throw new InvalidConfigError('the host is an address: tls.serverName must be the name in the certificate')
  }
}
