import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'
import {
  CALL_OPTIONS,
  type CallLimits,
  type CallOptions,
  checkCallOptions,
  checkName,
  checkPoolOptions,
  checkText,
  isLocalHost,
  POOL_OPTIONS,
  type PoolLimits,
  type PoolOptions,
  type TlsOptions,
  type TlsSettings,
  tlsSettings,
  wholeNumber,
} from '@asherah/sql-shared'
import { type EntraCredential, type MssqlConfig, targetOf } from './config.ts'
import { parseConnectionString } from './connection-string/parse.ts'
import type { MssqlTarget } from './connection-string/target.ts'
import type { MssqlPool } from './mssql-pool.ts'
import { createTimeZone, type TimeZone } from './time-zone.ts'

/** Options of `createMssqlMetastore`: exactly one of `connectionString`, `config` and `pool`. */
export interface MssqlMetastoreOptions extends PoolOptions, CallOptions {
  /** `sqlserver://user:password@host:port;database=Db`, `mssql://…/Db`, or ADO.NET's `Server=…;Database=…;User ID=…`. */
  readonly connectionString?: string
  readonly config?: MssqlConfig
  /** A connected `ConnectionPool` of `mssql`, which stays the caller's: `close` does not end it. */
  readonly pool?: MssqlPool
  /** Entra ID: the credential that gives the tokens of own connections. */
  readonly credential?: EntraCredential
  /**
   * TLS of own connections; wins over what the connection string says. Default: verified for every host that is not
   * local, off for local ones.
   */
  readonly tls?: boolean | TlsOptions
  /** Default `dbo`. Matched without regard to case. */
  readonly schemaName?: string
  /** Default `encryption_key`. Matched without regard to case. */
  readonly tableName?: string
  /**
   * The IANA zone of the `created` column, for a table that was filled with local times. Default UTC, which is what every
   * implementation of Asherah writes.
   */
  readonly columnTimeZone?: string
  /** The length of the `id` column in UTF-16 units; default 512, as in `schema.sql`. */
  readonly maxKeyIdLength?: number
  /** Ends the ids of every key of a factory that uses this metastore: one region of a shared store. Default none. */
  readonly regionSuffix?: string
}

/** How own connections are made. */
export interface OwnConnections {
  readonly target: MssqlTarget
  readonly encrypt: boolean | 'strict'
  readonly tls: TlsSettings | undefined
  readonly credential: EntraCredential | undefined
  readonly accessToken: (() => string | Promise<string>) | undefined
  readonly pool: PoolLimits
}

/** The options as the metastore uses them: complete, checked, copied. */
export interface Settings extends CallLimits {
  readonly connections: OwnConnections | { readonly given: MssqlPool }
  readonly schemaName: string
  readonly tableName: string
  readonly zone: TimeZone | undefined
  readonly readsMayLag: boolean
  readonly maxKeyIdLength: number
  readonly regionSuffix: string | undefined
}

const OWN = ['credential', 'tls', ...POOL_OPTIONS] as const
const KNOWN: readonly string[] = [
  'connectionString',
  'config',
  'pool',
  ...OWN,
  'schemaName',
  'tableName',
  'columnTimeZone',
  'maxKeyIdLength',
  'regionSuffix',
  ...CALL_OPTIONS,
]

/** SQL Server's sysname. */
const MAX_NAME = 128
/** The longest NVARCHAR that is not MAX, less one: comparing adds a sign. A key of an index takes 850 at the most. */
const MAX_ID = 3_999

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: MssqlMetastoreOptions): Settings {
  checkKnownOptions('createMssqlMetastore', options, KNOWN)
  const { schemaName = 'dbo', tableName = 'encryption_key', columnTimeZone, regionSuffix } = options
  const connections = checkConnections(options)
  const fromString = 'given' in connections ? undefined : connections.target.queryTimeoutMs
  return {
    connections,
    schemaName: checkName('schemaName', schemaName, MAX_NAME),
    tableName: checkName('tableName', tableName, MAX_NAME),
    zone: columnTimeZone === undefined ? undefined : createTimeZone(columnTimeZone),
    readsMayLag: !('given' in connections) && connections.target.readOnlyIntent === true,
    maxKeyIdLength: wholeNumber('maxKeyIdLength', options.maxKeyIdLength, 512, 1, MAX_ID),
    regionSuffix: regionSuffix === undefined ? undefined : checkText('regionSuffix', regionSuffix),
    ...checkCallOptions({ ...(fromString === undefined ? {} : { queryTimeoutMs: fromString }), ...defined(options) }),
  }
}

function defined(options: MssqlMetastoreOptions): MssqlMetastoreOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function checkConnections(options: MssqlMetastoreOptions): Settings['connections'] {
  const { connectionString, config, pool } = options
  if ([connectionString, config, pool].filter((way) => way !== undefined).length !== 1) {
    throw new InvalidConfigError('exactly one of connectionString, config and pool must be given')
  }
  if (pool !== undefined) return { given: checkPool(pool, options) }
  const credential = checkCredential(options.credential)
  const accessToken = config?.accessToken
  if (accessToken !== undefined && typeof accessToken !== 'function') {
    throw new InvalidConfigError('config.accessToken must be a function')
  }
  const target =
    config === undefined
      ? parseConnectionString(connectionString, credential !== undefined)
      : targetOf(config, credential !== undefined)
  return {
    target,
    credential,
    accessToken,
    ...checkTls(target, options.tls),
    pool: checkPoolOptions(limitsOf(target, options)),
  }
}

function checkPool(pool: MssqlPool, options: MssqlMetastoreOptions): MssqlPool {
  if (typeof pool?.request !== 'function') throw new InvalidConfigError('pool must be a ConnectionPool of mssql')
  const misplaced = OWN.find((name) => Reflect.get(options, name) !== undefined)
  if (misplaced !== undefined)
    throw new InvalidConfigError(`${misplaced} is for own connections; a given pool has its own`)
  return pool
}

function checkCredential(credential: EntraCredential | undefined): EntraCredential | undefined {
  if (credential !== undefined && typeof credential?.getToken !== 'function') {
    throw new InvalidConfigError('credential must have a method getToken, as those of @azure/identity have')
  }
  return credential
}

/** The string's own limits, unless an option says another. */
function limitsOf(target: MssqlTarget, options: MssqlMetastoreOptions): PoolOptions {
  const { connectTimeoutMs, maxConnections, minIdleConnections, maxLifetimeMs } = target
  const said = { connectTimeoutMs, maxConnections, minIdleConnections, maxLifetimeMs }
  const present: PoolOptions = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
  return { ...present, ...defined(options) }
}

function checkTls(target: MssqlTarget, tls: MssqlMetastoreOptions['tls']): Pick<OwnConnections, 'encrypt' | 'tls'> {
  const { encrypt, server, trustServerCertificate = false, hostNameInCertificate } = target
  const said: TlsOptions = {
    ...(trustServerCertificate ? { allowUnverifiedCertificate: true } : {}),
    ...(hostNameInCertificate === undefined ? {} : { serverName: hostNameInCertificate }),
  }
  const wished = tls === true || tls === undefined ? said : tls
  const isOn = tls !== undefined ? tls !== false : (encrypt ?? !isLocalHost(server)) !== false
  if (!isOn) return { encrypt: false, tls: undefined }
  const settings = tlsSettings(wished === false ? {} : wished, server)
  if (encrypt !== 'strict') return { encrypt: true, tls: settings }
  if (settings?.rejectUnauthorized === false) {
    throw new InvalidConfigError('strict encryption always verifies the certificate: it cannot be trusted unseen')
  }
  return { encrypt, tls: settings }
}
