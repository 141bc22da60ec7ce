import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'
import {
  CALL_OPTIONS,
  type CallLimits,
  type CallOptions,
  checkCallOptions,
  checkName,
  checkPoolOptions,
  checkText,
  POOL_OPTIONS,
  type PoolLimits,
  type PoolOptions,
  wholeNumber,
} from '@asherah/sql-shared'
import { isProtected, type OracleTarget, parseConnectionString } from './connection-string.ts'
import type { OraclePool } from './oracle-types.ts'

/** Where the server is, and who we are. */
export interface OracleConfig {
  readonly user: string
  readonly password: string
  /** Easy Connect Plus (`tcps://host:2484/service`), a TNS descriptor, or a name of `tnsnames.ora`. */
  readonly connectString: string
  /** The folder of `ewallet.pem`, for TLS with a wallet (Autonomous Database). */
  readonly walletLocation?: string
  readonly walletPassword?: string
  /**
   * Allow a `connectString` that does not say TCPS, for a host that is not this machine: whoever is on the way can read
   * and change what is sent. Default false.
   */
  readonly allowUnencrypted?: boolean
}

/** Options of `createOracleMetastore`: exactly one of `connectionString`, `config` and `pool`. */
export interface OracleMetastoreOptions extends PoolOptions, CallOptions {
  /** `oracle://user:password@host:port/service`; TLS unless the host is local or it ends in `?ssl=false`. */
  readonly connectionString?: string
  readonly config?: OracleConfig
  /** A `Pool` of `oracledb`, which stays the caller's: `close` does not end it. Its sessions are used as they are. */
  readonly pool?: OraclePool
  /** Default: the session's current schema. Matched without regard to case. */
  readonly schemaName?: string
  /** Default `encryption_key`. Matched without regard to case. */
  readonly tableName?: string
  /** The length of the `id` column in bytes; default 255, as in `schema.sql`. */
  readonly maxKeyIdLength?: number
  /** Ends the ids of every key of a factory that uses this metastore: one region of a shared store. Default none. */
  readonly regionSuffix?: string
}

/** How own connections are made. */
export interface OwnConnections {
  readonly target: OracleTarget
  readonly wallet: { readonly walletLocation?: string; readonly walletPassword?: string }
  readonly pool: PoolLimits
}

/** The options as the metastore uses them: complete, checked, copied. */
export interface Settings extends CallLimits {
  readonly connections: OwnConnections | { readonly given: OraclePool; readonly acquireTimeoutMs: number }
  /** Undefined: the current one. */
  readonly schemaName: string | undefined
  readonly tableName: string
  readonly maxKeyIdLength: number
  readonly regionSuffix: string | undefined
}

const KNOWN: readonly string[] = [
  'connectionString',
  'config',
  'pool',
  'schemaName',
  'tableName',
  'maxKeyIdLength',
  'regionSuffix',
  ...POOL_OPTIONS,
  ...CALL_OPTIONS,
]
const CONFIG = ['user', 'password', 'connectString', 'walletLocation', 'walletPassword', 'allowUnencrypted'] as const
const MAX_NAME = 128
const MAX_ID = 4_000

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: OracleMetastoreOptions): Settings {
  checkKnownOptions('createOracleMetastore', options, KNOWN)
  const { schemaName, tableName = 'encryption_key', regionSuffix } = options
  return {
    connections: checkConnections(options),
    schemaName: schemaName === undefined ? undefined : checkIdentifier('schemaName', schemaName),
    tableName: checkIdentifier('tableName', tableName),
    maxKeyIdLength: wholeNumber('maxKeyIdLength', options.maxKeyIdLength, 255, 1, MAX_ID),
    regionSuffix: regionSuffix === undefined ? undefined : checkText('regionSuffix', regionSuffix),
    ...checkCallOptions(options),
  }
}

/** Oracle has no way to write a quote inside a quoted name. */
function checkIdentifier(option: string, name: string): string {
  const checked = checkName(option, name, MAX_NAME)
  if (checked.includes('"')) throw new InvalidConfigError(`${option} must not have a double quote in it`)
  return checked
}

function checkConnections(options: OracleMetastoreOptions): Settings['connections'] {
  const { connectionString, config, pool } = options
  if ([connectionString, config, pool].filter((way) => way !== undefined).length !== 1) {
    throw new InvalidConfigError('exactly one of connectionString, config and pool must be given')
  }
  if (pool !== undefined) {
    if (typeof pool?.getConnection !== 'function') throw new InvalidConfigError('pool must be a Pool of oracledb')
    const misplaced = POOL_OPTIONS.find(
      (name) => name !== 'acquireTimeoutMs' && Reflect.get(options, name) !== undefined,
    )
    if (misplaced !== undefined)
      throw new InvalidConfigError(`${misplaced} is for own connections; a given pool has its own`)
    return { given: pool, acquireTimeoutMs: checkPoolOptions(options).acquireTimeoutMs }
  }
  const limits = checkPoolOptions(options)
  if (config === undefined) return { target: parseConnectionString(connectionString), wallet: {}, pool: limits }
  return { ...checkConfig(config), pool: limits }
}

function checkConfig(config: OracleConfig): Pick<OwnConnections, 'target' | 'wallet'> {
  checkKnownOptions('config', config, CONFIG)
  const { walletLocation, walletPassword, allowUnencrypted = false } = config
  const target = {
    user: checkText('config.user', config.user),
    password: checkText('config.password', config.password),
    connectString: checkText('config.connectString', config.connectString),
  }
  if (typeof allowUnencrypted !== 'boolean')
    throw new InvalidConfigError('config.allowUnencrypted must be true or false')
  if (!allowUnencrypted && !isProtected(target.connectString)) {
    throw new InvalidConfigError(
      'config.connectString does not say TLS (tcps://host:port/service, or PROTOCOL=TCPS); set allowUnencrypted for a network that you trust, or for a name of tnsnames.ora that means TCPS',
    )
  }
  const wallet = {
    ...(walletLocation === undefined ? {} : { walletLocation: checkText('config.walletLocation', walletLocation) }),
    ...(walletPassword === undefined ? {} : { walletPassword: checkText('config.walletPassword', walletPassword) }),
  }
  return { target, wallet }
}
