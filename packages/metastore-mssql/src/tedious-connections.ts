import { InvalidConfigError } from '@asherah/core/backend'
import { type ConnectionSource, codeOf, createPool, LostConnectionError } from '@asherah/sql-shared'
import { Connection, type ConnectionConfiguration, Request, TYPES } from 'tedious'
import type { OwnConnections } from './options.ts'
import type { MssqlConnection, StatementResult, StatementRow, StatementValue } from './statement.ts'

/** A connection of the driver that has logged in. */
export interface OpenConnection extends MssqlConnection {
  readonly driver: Connection
  isOpen: boolean
}

/** Error numbers of the server are kept from a login that it refused: tedious gives only their text. */
class LoginError extends Error {
  override readonly name = 'LoginError'
  readonly number: number

  constructor(number: number, cause: Error) {
    super(cause.message, { cause })
    this.number = number
  }
}

/** Connections of our own, by tedious. Nothing is opened before the first call. */
export function createOwnConnections(own: OwnConnections): ConnectionSource<OpenConnection> {
  return createPool(
    'SQL Server',
    {
      open: () => open(own),
      close: ({ driver }) => driver.close(),
      isOpen: (connection) => connection.isOpen,
      ping: (connection) => connection.run('SELECT 1 AS one', {}),
    },
    own.pool,
  )
}

async function open(own: OwnConnections): Promise<OpenConnection> {
  const driver = new Connection(await configurationOf(own))
  let loginNumber: number | undefined
  driver.on('errorMessage', ({ number }) => {
    loginNumber ??= number
  })
  await new Promise<void>((resolve, reject) => {
    driver.connect((error) => {
      if (error === undefined || error === null) resolve()
      else reject(loginNumber === undefined ? error : new LoginError(loginNumber, error))
    })
  })
  const connection: OpenConnection = {
    driver,
    isOpen: true,
    run: (text, parameters) => runStatement(driver, text, parameters),
  }
  const ended = (): void => {
    connection.isOpen = false
  }
  driver.on('end', ended)
  // Without a listener an idle connection that is reset would end the process.
  driver.on('error', ended)
  return connection
}

function runStatement(
  driver: Connection,
  text: string,
  parameters: Readonly<Record<string, StatementValue>>,
): Promise<StatementResult> {
  return new Promise((resolve, reject) => {
    const rows: StatementRow[] = []
    const request = new Request(text, (error, affected) => {
      if (error === undefined || error === null) resolve({ rows, affected: affected ?? 0 })
      else reject(codeOf(error) === 'EINVALIDSTATE' ? new LostConnectionError(error.message, { cause: error }) : error)
    })
    for (const [name, value] of Object.entries(parameters)) {
      request.addParameter(name, typeof value === 'number' ? TYPES.BigInt : TYPES.NVarChar, value)
    }
    request.on('row', (columns: unknown) => rows.push(rowOf(columns)))
    driver.execSql(request)
  })
}

/** tedious types its columns as `any`. */
function rowOf(columns: unknown): StatementRow {
  if (!Array.isArray(columns)) return {}
  return Object.fromEntries(columns.map(({ metadata, value }) => [String(metadata.colName), value]))
}

async function configurationOf(own: OwnConnections): Promise<ConnectionConfiguration> {
  const { target, encrypt, tls, pool } = own
  const { port, instanceName } = target
  return {
    server: target.server,
    authentication: await authenticationOf(own),
    options: {
      database: target.database,
      ...(instanceName === undefined ? { port: port ?? 1_433 } : { instanceName }),
      encrypt,
      trustServerCertificate: tls !== undefined && !tls.rejectUnauthorized,
      ...(tls === undefined ? {} : { cryptoCredentialsDetails: credentialsOf(tls) }),
      ...(tls?.servername === undefined ? {} : { serverName: tls.servername }),
      appName: target.appName ?? 'asherah',
      ...(target.workstationId === undefined ? {} : { workstationId: target.workstationId }),
      ...(target.packetSize === undefined ? {} : { packetSize: target.packetSize }),
      readOnlyIntent: target.readOnlyIntent ?? false,
      multiSubnetFailover: target.multiSubnetFailover ?? false,
      connectTimeout: pool.connectTimeoutMs,
      // Times and retries are ours: the pool and every call have them already.
      requestTimeout: 0,
      maxRetriesOnTransientErrors: 0,
      useUTC: true,
    },
  }
}

function credentialsOf({ ca, cert, key, minVersion }: NonNullable<OwnConnections['tls']>): object {
  return {
    minVersion,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  }
}

type Authentication = NonNullable<ConnectionConfiguration['authentication']>

async function authenticationOf({ target, credential, accessToken }: OwnConnections): Promise<Authentication> {
  if (credential !== undefined) return { type: 'token-credential', options: { credential } }
  if (accessToken !== undefined) {
    const token: unknown = await accessToken()
    if (typeof token !== 'string' || token === '') throw new InvalidConfigError('config.accessToken gave no token')
    return { type: 'azure-active-directory-access-token', options: { token } }
  }
  const { login } = target
  if (login.kind === 'password') return { type: 'default', options: { userName: login.user, password: login.password } }
  const options = 'clientId' in login ? { clientId: login.clientId } : {}
  return login.kind === 'managed-identity'
    ? { type: 'azure-active-directory-msi-vm', options }
    : { type: 'azure-active-directory-default', options }
}
