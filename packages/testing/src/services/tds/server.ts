import { createServer, type Server, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { createTestCertificate } from './certificate.ts'
import { type Channel, createChannel } from './channel.ts'
import { createFaultBook, type FaultBook, type TdsFaults } from './faults.ts'
import { ENCRYPTION, type Login7, parseFederatedToken, parseLogin7, parsePrelogin, preloginAnswer } from './login.ts'
import { PACKET, type TdsMessage } from './packets.ts'
import { createRequestHandler, type RequestHandler } from './session.ts'
import { createDatabase, type Database, type DatabaseOptions } from './sql/database.ts'
import { executeSql } from './sql/execute.ts'
import { SqlError } from './sql/sql-error.ts'
import {
  DONE,
  done,
  errorToken,
  featureAck,
  federatedInfo,
  loginAck,
  routingChange,
  type ServerError,
  textChange,
} from './tokens.ts'

/** Who may log in. */
export interface TdsLogin {
  readonly name: string
  /** Undefined: not by password. */
  readonly password?: string
  /** What a federated login brings as its token. */
  readonly token?: string
  /** Permissions that are denied: `INSERT`, `UPDATE`, `DELETE`, `SELECT`, `CREATE TABLE`, `ALTER`. */
  readonly denied?: readonly string[]
}

export interface TdsServerOptions {
  readonly logins: readonly TdsLogin[]
  /** By name. */
  readonly databases: Readonly<Record<string, DatabaseOptions>>
  /** Default `on`: as the client wishes. `required`: nobody without TLS. `unsupported`: no TLS. */
  readonly encryption?: 'on' | 'required' | 'unsupported'
  /** Of packets that the server sends, and asks the client to send; default 4,096. */
  readonly packetSize?: number
  /** Where clients with read-only intent are sent (read-only routing). */
  readonly readOnlyRoute?: { readonly server: string; readonly port: number }
}

/** The stand-in for SQL Server; see the README beside this file for what it does not prove. */
export interface TdsServer {
  readonly port: number
  /** The certificate that a client must trust, in PEM. */
  readonly ca: string
  readonly faults: TdsFaults
  /** What clients said when they logged in, the newest last; never their passwords. */
  readonly logins: readonly Omit<Login7, 'password' | 'federated'>[]
  /** Connections that are open now. */
  readonly connections: number
  /** Refuse every change with error 3906, as a readable secondary does. */
  setReadOnly(database: string, readOnly: boolean): void
  /** Runs SQL without a client. @throws SqlError */
  run(database: string, sql: string): readonly (readonly unknown[])[]
  /** Ends every connection, as a failover does. */
  dropConnections(): void
  close(): Promise<void>
}

const FEDERATED_RESOURCE = 'https://database.windows.net/'
const FEDERATED_AUTHORITY = 'https://login.invalid/test-tenant'
const TLS_HANDSHAKE = 0x16

/** Starts a TDS 7.4 server (and TDS 8: TLS from the first byte) on a free port of 127.0.0.1. */
export async function createTdsServer(options: TdsServerOptions): Promise<TdsServer> {
  const certificate = createTestCertificate()
  const context = createSecureContext({ ...certificate, minVersion: 'TLSv1.2' })
  const databases = new Map(
    Object.entries(options.databases).map(([name, database]) => [
      name.toLowerCase(),
      { name, database: createDatabase(database) },
    ]),
  )
  const faults = createFaultBook()
  const logins: Omit<Login7, 'password' | 'federated'>[] = []
  const sockets = new Set<Socket>()
  const home: Home = { options, databases, faults, logins, context }

  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    socket.setNoDelay(true)
    socket.once('readable', () => {
      const first: Buffer | null = socket.read(1)
      if (first === null) return
      socket.unshift(first)
      welcome(home, socket, first[0] === TLS_HANDSHAKE)
    })
  })
  const port = await listen(server)

  const databaseOf = (name: string): Database => {
    const found = databases.get(name.toLowerCase())
    if (found === undefined) throw new Error(`this server has no database ${name}`)
    return found.database
  }
  return {
    port,
    ca: certificate.cert,
    faults,
    logins,
    get connections() {
      return sockets.size
    },
    setReadOnly(name, readOnly) {
      databaseOf(name).readOnly = readOnly
    },
    run(name, sql) {
      const session = { database: databaseOf(name), denied: new Set<string>() }
      return executeSql(session, sql).flatMap(({ rows }) => rows)
    },
    dropConnections() {
      for (const socket of sockets) socket.destroy()
    },
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => {
        server.close(() => resolve())
      })
    },
  }
}

interface NamedDatabase {
  readonly name: string
  readonly database: Database
}

interface Home {
  readonly options: TdsServerOptions
  readonly databases: ReadonlyMap<string, NamedDatabase>
  readonly faults: FaultBook
  readonly logins: Omit<Login7, 'password' | 'federated'>[]
  readonly context: ReturnType<typeof createSecureContext>
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address !== null && typeof address === 'object') resolve(address.port)
      else reject(new Error('no port'))
    })
  })
}

/** PRELOGIN, TLS, LOGIN7; then requests. */
function welcome(home: Home, socket: Socket, isStrict: boolean): void {
  const { options, faults, context } = home
  const stream = isStrict
    ? new TLSSocket(socket, { isServer: true, secureContext: context, ALPNProtocols: ['tds/8.0'] })
    : socket
  let handler: RequestHandler | undefined
  let pending: Login7 | undefined
  const channel: Channel = createChannel(stream, isStrict, () => faults.pieces, onMessage)

  function onMessage(message: TdsMessage): void {
    const { type, data } = message
    if (handler !== undefined) handler.handle(message)
    else if (type === PACKET.prelogin) answerPrelogin(parsePrelogin(data).encryption)
    else if (type === PACKET.login7) beginLogin(parseLogin7(data))
    else if (type === PACKET.federatedToken && pending !== undefined) endLogin(pending, parseFederatedToken(data))
    else channel.drop()
  }

  function answerPrelogin(wish: number): void {
    const mode = options.encryption ?? 'on'
    const canEncrypt = !isStrict && mode !== 'unsupported'
    const isWished = wish === ENCRYPTION.on || wish === ENCRYPTION.required
    const agreed = !canEncrypt
      ? ENCRYPTION.notSupported
      : mode === 'required'
        ? ENCRYPTION.required
        : isWished
          ? ENCRYPTION.on
          : ENCRYPTION.notSupported
    channel.send(PACKET.tabularResult, preloginAnswer(agreed))
    if (agreed === ENCRYPTION.on || agreed === ENCRYPTION.required) channel.startTls(context)
  }

  function beginLogin(login: Login7): void {
    const { password: _, federated, ...shown } = login
    home.logins.push(shown)
    const fault = faults.takeLogin()?.what
    if (fault === 'hang') return
    if (fault === 'drop' || (options.encryption === 'required' && !channel.secure)) channel.drop()
    else if (fault !== undefined) refuse(fault.error)
    else if (federated?.kind !== 'fetch') endLogin(login, federated?.token)
    else {
      pending = login
      channel.send(PACKET.tabularResult, federatedInfo(FEDERATED_AUTHORITY, FEDERATED_RESOURCE))
    }
  }

  function endLogin(login: Login7, token: string | undefined): void {
    const known = options.logins.find((l) =>
      token === undefined ? l.name === login.userName && l.password === login.password : l.token === token,
    )
    const who = token === undefined ? login.userName : '<token-identified principal>'
    const found = home.databases.get((login.database || 'master').toLowerCase())
    if (known === undefined || (token === undefined && known.password === undefined)) {
      refuse(new SqlError(18456, `Login failed for user '${who}'.`))
    } else if (options.readOnlyRoute !== undefined && login.readOnlyIntent) route(options.readOnlyRoute)
    else if (found === undefined) {
      const message = `Cannot open database "${login.database}" requested by the login. The login failed.`
      refuse(new SqlError(4060, message))
    } else accept(login, known, found, token !== undefined)
  }

  function accept(login: Login7, known: TdsLogin, found: NamedDatabase, federated: boolean): void {
    const { packetSize = 4_096 } = options
    const before = String(channel.packetSize)
    channel.send(
      PACKET.tabularResult,
      Buffer.concat([
        textChange(1, found.name, 'master'),
        loginAck(),
        textChange(4, String(packetSize), before),
        featureAck({ utf8: login.utf8, federated }),
        done('batch', DONE.final),
      ]),
    )
    channel.packetSize = packetSize
    const session = { database: found.database, denied: new Set(known.denied ?? []) }
    handler = createRequestHandler(channel, session, faults)
  }

  function route({ server, port }: { readonly server: string; readonly port: number }): void {
    const tokens = [loginAck(), routingChange(server, port), done('batch', DONE.final)]
    channel.send(PACKET.tabularResult, Buffer.concat(tokens))
  }

  function refuse(error: ServerError): void {
    channel.send(PACKET.tabularResult, Buffer.concat([errorToken(error), done('batch', DONE.error)]))
    setTimeout(() => channel.drop(), 50).unref()
  }
}
