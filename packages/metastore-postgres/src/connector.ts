import { Socket } from 'node:net'
import {
  type Connector,
  endSocket,
  inTime,
  LostConnectionError,
  type OwnConnections,
  type ReplicaReadConsistency,
} from '@asherah/sql-shared'
import pg from 'pg'
import { asLost, query } from './dialect.ts'
import type { PgClient } from './pg-types.ts'

/** A client that the metastore opened. */
export interface OwnClient extends PgClient {
  end(): Promise<void>
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
  const ended = new WeakSet<OwnClient>()
  const sockets = new WeakMap<OwnClient, Socket>()
  const end = (client: OwnClient, broken: boolean): void => {
    client.end().catch(() => {})
    const socket = sockets.get(client)
    if (socket !== undefined) endSocket(socket, broken)
  }
  return {
    async open() {
      // Not by the driver: an error of it would look like a lost connection.
      const password = typeof given === 'function' ? await given() : given
      const socket = new Socket()
      const client = new pg.Client({
        ...server,
        ...(password === undefined ? {} : { password }),
        ssl: tls ?? false,
        connectionTimeoutMillis: limits.connectTimeoutMs,
        stream: () => socket,
        keepAlive: true,
        fallback_application_name: 'asherah',
      })
      sockets.set(client, socket)
      // Without a listener, a connection that is lost while it is idle would end the process.
      client.on('error', () => ended.add(client))
      client.on('end', () => ended.add(client))
      try {
        await client.connect()
        await inTime(prepareSession(client, consistency), limits.connectTimeoutMs)
      } catch (error) {
        end(client, true)
        throw asLost(timedOut(error) ? noAnswer(limits.connectTimeoutMs, error) : error)
      }
      return client
    },
    close: end,
    isOpen: (client) => !ended.has(client),
    ping: (client) => client.query({ text: 'SELECT 1' }),
  }
}

/** `pg` has no code for it, and its text says neither of what nor how long. */
function timedOut(error: unknown): boolean {
  return error instanceof Error && error.message === 'timeout expired'
}

function noAnswer(ms: number, cause: unknown): LostConnectionError {
  return new LostConnectionError(`no answer in ${ms} ms (connectTimeoutMs)`, { cause })
}
