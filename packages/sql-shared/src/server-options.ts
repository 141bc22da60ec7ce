import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'
import {
  CALL_OPTIONS,
  type CallLimits,
  type CallOptions,
  checkCallOptions,
  checkName,
  checkPoolOptions,
  checkReplicaReadConsistency,
  checkText,
  POOL_OPTIONS,
  type PoolLimits,
  type PoolOptions,
  type ReplicaReadConsistency,
  wholeNumber,
} from './options.ts'
import { type TlsOptions, type TlsSettings, tlsSettings } from './tls.ts'

/** Where the server is, and who we are. */
export interface ServerConnection {
  /** A name, an address, or the path of a Unix socket. */
  readonly host: string
  /** Default: the database's usual one. */
  readonly port?: number
  readonly database: string
  readonly user: string
  /** A function is asked for each new connection: for tokens that expire, such as those of AWS IAM. */
  readonly password?: string | (() => string | Promise<string>)
}

/** Options that the metastores of database servers share: exactly one of `connectionString`, `config` and `pool`. */
export interface ServerOptions<P> extends PoolOptions, CallOptions {
  readonly connectionString?: string
  readonly config?: ServerConnection
  /** A pool of the driver, which stays the caller's: `close` does not end it. */
  readonly pool?: P
  /** Default `encryption_key`. Quoted as it is. */
  readonly tableName?: string
  /** Default: where the server looks for tables without a schema. Quoted as it is. */
  readonly schemaName?: string
  /**
   * TLS of own connections, beside the PEM files that `connectionString` names. Default: verified for every host that is not
   * local, off for local ones.
   */
  readonly tls?: boolean | TlsOptions
  /** Only for Aurora, through a reader that forwards writes. Default none. */
  readonly replicaReadConsistency?: ReplicaReadConsistency
  /** The length of the `id` column in characters; default 255, as in `schema.sql`. */
  readonly maxKeyIdLength?: number
  /** Ends the ids of every key of a factory that uses this metastore: one region of a shared store. Default none. */
  readonly regionSuffix?: string
}

/** How own connections are made. */
export interface OwnConnections {
  readonly connection: Required<Omit<ServerConnection, 'password'>> & Pick<ServerConnection, 'password'>
  readonly tls: TlsSettings | undefined
  readonly limits: PoolLimits
}

/** The options as a metastore uses them: complete, checked, copied. */
export interface ServerSettings<P> extends CallLimits {
  readonly connections: { readonly own: OwnConnections } | { readonly pool: P }
  readonly acquireTimeoutMs: number
  readonly tableName: string
  readonly schemaName: string | undefined
  readonly replicaReadConsistency: ReplicaReadConsistency | undefined
  readonly maxKeyIdLength: number
  readonly regionSuffix: string | undefined
}

/** What a connection string says. */
export interface ParsedConnectionString {
  readonly connection: Partial<ServerConnection>
  /** Undefined: it says nothing, and the host decides. */
  readonly tls: boolean | TlsOptions | undefined
  /** Limits that it says, in milliseconds; options of the same name win. */
  readonly limits?: Pick<PoolOptions, 'connectTimeoutMs'> & Pick<CallOptions, 'queryTimeoutMs'>
}

/** What is different for each database. */
export interface ServerRules {
  /** The name of the factory, for messages. */
  readonly factory: string
  readonly defaultPort: number
  /** The longest name of a table, in bytes. */
  readonly maxNameBytes: number
  parseConnectionString(text: string): ParsedConnectionString
  /** Such as `a Pool of pg`; and the method that it must have. */
  readonly pool: { readonly what: string; readonly method: string }
  /** The names of options that only this database has, and checks itself. */
  readonly more?: readonly string[]
}

const SOURCES = ['connectionString', 'config', 'pool'] as const
const KNOWN: readonly string[] = [
  ...SOURCES,
  'tableName',
  'schemaName',
  'tls',
  'replicaReadConsistency',
  'maxKeyIdLength',
  'regionSuffix',
  ...POOL_OPTIONS,
  ...CALL_OPTIONS,
]
const CONNECTION: readonly string[] = ['host', 'port', 'database', 'user', 'password']

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkServerOptions<P extends object>(rules: ServerRules, options: ServerOptions<P>): ServerSettings<P> {
  checkKnownOptions(rules.factory, options, [...KNOWN, ...(rules.more ?? [])])
  const given = SOURCES.filter((name) => options[name] !== undefined)
  if (given.length !== 1) throw new InvalidConfigError(`${rules.factory}: give exactly one of ${SOURCES.join(', ')}`)
  const { tableName = 'encryption_key', schemaName, regionSuffix } = options
  const { connectionString } = options
  const parsed =
    connectionString === undefined
      ? undefined
      : rules.parseConnectionString(checkText('connectionString', connectionString))
  const asked: PoolOptions & CallOptions = { ...parsed?.limits, ...withoutUndefined(options) }
  const limits = checkPoolOptions(asked)
  return {
    connections: checkConnections(rules, options, parsed, limits),
    acquireTimeoutMs: limits.acquireTimeoutMs,
    ...checkCallOptions(asked),
    tableName: checkName('tableName', tableName, rules.maxNameBytes),
    schemaName: schemaName === undefined ? undefined : checkName('schemaName', schemaName, rules.maxNameBytes),
    replicaReadConsistency: checkReplicaReadConsistency(options.replicaReadConsistency),
    maxKeyIdLength: wholeNumber('maxKeyIdLength', options.maxKeyIdLength, 255, 1, 10_000_000),
    regionSuffix: regionSuffix === undefined ? undefined : checkText('regionSuffix', regionSuffix),
  }
}

function checkConnections<P extends object>(
  rules: ServerRules,
  options: ServerOptions<P>,
  parsed: ParsedConnectionString | undefined,
  limits: PoolLimits,
): ServerSettings<P>['connections'] {
  const { pool, config = {}, tls } = options
  if (pool !== undefined) return { pool: checkPool(rules, pool, options) }
  const connection = checkConnection(rules, parsed?.connection ?? config)
  return { own: { connection, tls: tlsSettings(wantedTls(tls, parsed?.tls), connection.host), limits } }
}

/**
 * The option, with the files that the connection string names beside it. That the string leaves the certificate unverified
 * does not reach an option that does not say so itself (D-066).
 */
function wantedTls(option: boolean | TlsOptions | undefined, said: boolean | TlsOptions | undefined): typeof option {
  if (option === undefined) return said
  if (option === false) return false
  if (said === false) throw new InvalidConfigError('connectionString turns TLS off, and the option tls turns it on')
  if (typeof said !== 'object') return option
  const { allowUnverifiedCertificate: _, ...files } = said
  if (option === true) return files
  return typeof option === 'object' && option !== null ? { ...files, ...option } : option
}

function withoutUndefined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

function checkPool<P extends object>({ pool: { what, method } }: ServerRules, pool: P, options: object): P {
  if (typeof Reflect.get(Object(pool), method) !== 'function') throw new InvalidConfigError(`pool must be ${what}`)
  for (const name of [...POOL_OPTIONS, 'tls']) {
    if (name !== 'acquireTimeoutMs' && Reflect.get(options, name) !== undefined) {
      throw new InvalidConfigError(`${name} is for own connections: with pool, it is the pool's own setting`)
    }
  }
  return pool
}

function checkConnection(rules: ServerRules, config: Partial<ServerConnection>): OwnConnections['connection'] {
  checkKnownOptions('config', config, CONNECTION)
  const { host, port, database, user, password } = config
  if (password !== undefined && typeof password !== 'function' && typeof password !== 'string') {
    throw new InvalidConfigError('password must be text, or a function that gives text')
  }
  return {
    host: checkText('host', host),
    port: wholeNumber('port', port, rules.defaultPort, 1, 65_535),
    database: checkText('database', database),
    user: checkText('user', user),
    ...(password === undefined ? {} : { password }),
  }
}
