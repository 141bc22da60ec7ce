import { SEEDED_SECRET } from '../seeded-markers.ts'
import { type Running, type Service, startService } from './service.ts'
import { createTdsServer, type TdsServer } from './tds/server.ts'

/** A SQL Server that tests may use. */
export interface MssqlServer {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** Is there already; tests make their own tables in it. */
  readonly database: string
  /** The certificate to trust, in PEM; undefined: it cannot be verified. */
  readonly ca: string | undefined
  /** Where this is not SQL Server but the stand-in of this package: its handle, with faults. See `tds/README.md`. */
  readonly standIn: TdsServer | undefined
}

/** SQL Server wants upper and lower case, digits and signs. */
const PASSWORD = `Aa1-${SEEDED_SECRET}`
const DEFAULT_PORT = 1_433
const IMAGE = 'mcr.microsoft.com/mssql/server:2022-CU14-ubuntu-22.04'

/**
 * SQL Server: `ASHERAH_TEST_SQLSERVER_URL` (`sqlserver://user:password@host:port/database`), a container, or the stand-in
 * of this package, which is no SQL Server and says so in `standIn`.
 */
export function startSqlServer(): Promise<Service<MssqlServer>> {
  return startService({
    name: 'SQL Server',
    variable: 'ASHERAH_TEST_SQLSERVER_URL',
    fromVariable,
    startContainer,
    startLocal,
  })
}

function fromVariable(value: string): MssqlServer {
  const { hostname, port, username, password, pathname } = new URL(value)
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? DEFAULT_PORT : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    ca: undefined,
    standIn: undefined,
  }
}

async function startContainer(): Promise<Running<MssqlServer>> {
  const { MSSQLServerContainer } = await import('@testcontainers/mssqlserver')
  const container = await new MSSQLServerContainer(IMAGE).acceptLicense().withPassword(PASSWORD).start()
  return {
    details: {
      host: container.getHost(),
      port: container.getPort(),
      user: container.getUsername(),
      password: container.getPassword(),
      database: container.getDatabase(),
      ca: undefined,
      standIn: undefined,
    },
    stop: async () => void (await container.stop()),
  }
}

async function startLocal(): Promise<Running<MssqlServer>> {
  const login = { name: 'asherah', password: PASSWORD }
  const server = await createTdsServer({ logins: [login], databases: { Keys: {} } })
  return {
    details: {
      host: '127.0.0.1',
      port: server.port,
      user: login.name,
      password: login.password,
      database: 'Keys',
      ca: server.ca,
      standIn: server,
    },
    stop: () => server.close(),
  }
}
