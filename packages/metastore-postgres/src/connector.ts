import { Socket } from 'node:net'
import { InvalidConfigError } from '@asherah/core/backend'
import {
  type Connector,
  endSocket,
  inTime,
  LostConnectionError,
  type OwnConnections,
  type ReplicaReadConsistency,
} from '@asherah/sql-shared'
import pg from 'pg'
import { withAdvice } from './advice.ts'
import { asLost, watchedQuery } from './lost-connections.ts'
import type { PgClient } from './pg-types.ts'
import { query } from './prepared.ts'

/** A client that the metastore opened. */
export interface OwnClient extends PgClient {
  readonly driver: pg.Client
  readonly socket: Socket
  /** Rejects with the driver's first error that is of no statement; never resolves. */
  readonly failure: Promise<never>
  hasEnded(): boolean
}

/** From a closed list, so never a text of anyone's own (D-068). */
const SET_CONSISTENCY: Readonly<Record<ReplicaReadConsistency, string>> = {
  eventual: "SET apg_write_forward.consistency_mode = 'EVENTUAL'",
  session: "SET apg_write_forward.consistency_mode = 'SESSION'",
  global: "SET apg_write_forward.consistency_mode = 'GLOBAL'",
}

/** Makes a connection's session ready: its settings hold for as long as it does. */
export async function prepareSession(client: PgClient, consistency: ReplicaReadConsistency | undefined): Promise<void> {
  if (consistency !== undefined) await query(client, SET_CONSISTENCY[consistency], [])
}

/** How `pg` opens and ends connections. */
export function createConnector(
  { connection, tls, limits }: OwnConnections,
  consistency: ReplicaReadConsistency | undefined,
): Connector<OwnClient> {
  const { password: given, ...server } = connection
  const end = ({ driver, socket }: OwnClient, broken: boolean): void => {
    driver.end().catch(() => {})
    endSocket(socket, broken)
  }
  return {
    async open() {
      // Asked here: the driver would take an empty answer for PGPASSWORD.
      const password = typeof given === 'function' ? textOf(await given()) : given
      const socket = new Socket()
      const driver = new pg.Client({
        ...server,
        ...(password === undefined ? {} : { password }),
        ssl: tls ?? false,
        connectionTimeoutMillis: limits.connectTimeoutMs,
        stream: () => socket,
        keepAlive: true,
        fallback_application_name: 'asherah',
      })
      const client = ownClient(driver, socket)
      try {
        await Promise.race([driver.connect(), client.failure])
        await inTime(prepareSession(client, consistency), limits.connectTimeoutMs)
      } catch (error) {
        // Before the socket is ended here.
        const known = timedOut(error)
          ? noAnswer(limits.connectTimeoutMs, error)
          : withAdvice(asLost(error, socket.destroyed))
        end(client, true)
        throw known
      }
      return client
    },
    close: end,
    isOpen: (client) => !client.hasEnded(),
    ping: (client) => client.query({ text: 'SELECT 1' }),
  }
}

function ownClient(driver: pg.Client, socket: Socket): OwnClient {
  let hasFailed = false
  const failure = new Promise<never>((_, reject) => {
    // Without a listener, a connection that is lost while it is idle would end the process.
    driver.on('error', (error) => {
      hasFailed = true
      reject(error)
    })
  })
  failure.catch(() => {})
  const hasEnded = (): boolean => hasFailed || socket.destroyed
  return { driver, socket, failure, hasEnded, query: watchedQuery(driver, hasEnded) }
}

function textOf(password: unknown): string {
  if (typeof password !== 'string' || password === '')
    throw new InvalidConfigError('the function password gave no text')
  return password
}

/** `pg` has no code for it, and its text says neither of what nor how long. */
function timedOut(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout expired'
}

function noAnswer(ms: number, cause: unknown): LostConnectionError {
  return new LostConnectionError(`no answer in ${ms} ms (connectTimeoutMs)`, { cause })
}
