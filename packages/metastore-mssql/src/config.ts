import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'
import { checkText, wholeNumber } from '@asherah/sql-shared'
import { checkHost } from './connection-string/data-source.ts'
import type { MssqlLogin, MssqlTarget } from './connection-string/target.ts'

/** A credential of `@azure/identity`, or anything with its method. */
export interface EntraCredential {
  getToken(
    scopes: string | string[],
    options?: object,
  ): Promise<{ readonly token: string; readonly expiresOnTimestamp: number } | null>
}

/** Where the server is, and who we are. */
export interface MssqlConfig {
  /** A name or an address. */
  readonly host: string
  /** Default 1433. */
  readonly port?: number
  /** A named instance: SQL Server Browser (UDP 1434) is asked for its port. */
  readonly instanceName?: string
  readonly database: string
  /** An SQL login; left out with `credential` or `accessToken`. */
  readonly user?: string
  readonly password?: string
  /** An Entra ID token for `https://database.windows.net/`; asked for each new connection. */
  readonly accessToken?: () => string | Promise<string>
  /** `ApplicationIntent=ReadOnly`: a readable secondary may answer, and `store` fails there. Default false. */
  readonly readOnlyIntent?: boolean
  /** Try all addresses of an availability group's listener at once. Default false. */
  readonly multiSubnetFailover?: boolean
  /** TDS 8: TLS before anything else (SQL Server 2022 and later). Default false. */
  readonly strictEncryption?: boolean
  /** Default `asherah`. */
  readonly appName?: string
}

const CONFIG = [
  'host',
  'port',
  'instanceName',
  'database',
  'user',
  'password',
  'accessToken',
  'readOnlyIntent',
  'multiSubnetFailover',
  'strictEncryption',
  'appName',
] as const

/** What a checked `config` says, as a connection string would. @throws InvalidConfigError naming the option. */
export function targetOf(config: MssqlConfig, hasCredential: boolean): MssqlTarget {
  checkKnownOptions('config', config, CONFIG)
  const { host, port, instanceName, database, readOnlyIntent, multiSubnetFailover, strictEncryption, appName } = config
  for (const [name, flag] of Object.entries({ readOnlyIntent, multiSubnetFailover, strictEncryption })) {
    if (flag !== undefined && typeof flag !== 'boolean')
      throw new InvalidConfigError(`config.${name} must be true or false`)
  }
  if (port !== undefined && instanceName !== undefined) {
    throw new InvalidConfigError('config.port and config.instanceName exclude each other')
  }
  return {
    server: checkHost(checkText('config.host', host)),
    ...(port === undefined ? {} : { port: wholeNumber('config.port', port, 1_433, 1, 65_535) }),
    ...(instanceName === undefined ? {} : { instanceName: checkText('config.instanceName', instanceName) }),
    database: checkText('config.database', database),
    login: loginOf(config, hasCredential),
    ...(strictEncryption === true ? { encrypt: 'strict' as const } : {}),
    ...(readOnlyIntent === undefined ? {} : { readOnlyIntent }),
    ...(multiSubnetFailover === undefined ? {} : { multiSubnetFailover }),
    ...(appName === undefined ? {} : { appName: checkText('config.appName', appName) }),
  }
}

function loginOf({ user, password, accessToken }: MssqlConfig, hasCredential: boolean): MssqlLogin {
  const ways = [user !== undefined || password !== undefined, accessToken !== undefined, hasCredential]
  if (ways.filter(Boolean).length !== 1) {
    throw new InvalidConfigError(
      'config must have exactly one login: user and password, accessToken, or the option credential',
    )
  }
  if (user === undefined && password === undefined) return { kind: 'none' }
  return { kind: 'password', user: checkText('config.user', user), password: checkText('config.password', password) }
}
