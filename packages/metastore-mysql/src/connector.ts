import { connect, type Socket } from 'node:net'
import {
  type Connector,
  endSocket,
  inTime,
  type OwnConnections,
  type ReplicaReadConsistency,
} from '@asherah/sql-shared'
import { createConnection } from 'mysql2/promise'
import { asLost } from './dialect.ts'
import type { MysqlClient } from './mysql-types.ts'

/** A connection that the metastore opened. */
export interface OwnClient extends MysqlClient {
  end(): Promise<void>
  destroy(): void
  ping(): Promise<void>
}

/** From a closed list, so never a text of anyone's own (D-068). */
const CONSISTENCY: Readonly<Record<ReplicaReadConsistency, string>> = {
  eventual: ", aurora_replica_read_consistency = 'EVENTUAL'",
  session: ", aurora_replica_read_consistency = 'SESSION'",
  global: ", aurora_replica_read_consistency = 'GLOBAL'",
}

/**
 * Makes a connection's session ready: `created` in UTC; text that does not fit is an error and is never cut; and each
 * statement is committed.
 */
export async function prepareSession(client: MysqlClient, consistency?: ReplicaReadConsistency): Promise<void> {
  const replica = consistency === undefined ? '' : CONSISTENCY[consistency]
  const settings = `SET SESSION time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES', autocommit = 1${replica}`
  await client.query(settings).catch((error: unknown) => Promise.reject(asLost(error)))
}

/** How `mysql2` opens and ends connections. */
export function createConnector(
  { connection, tls, limits }: OwnConnections,
  consistency: ReplicaReadConsistency | undefined,
): Connector<OwnClient> {
  const ended = new WeakSet<OwnClient>()
  const sockets = new WeakMap<OwnClient, Socket>()
  const { host, port, user, database, password } = connection
  const address = host.startsWith('/') ? { path: host } : { host, port }
  return {
    async open() {
      const secret = typeof password === 'function' ? await password() : password
      let socket: Socket | undefined
      try {
        const client = await createConnection({
          // The name that is verified is the one that it calls host; the stream goes where the server is.
          host: tls?.servername ?? host,
          port,
          stream: () => {
            socket = connect(address).setNoDelay(true).setKeepAlive(true)
            return socket
          },
          user,
          database,
          ...(secret === undefined ? {} : { password: secret }),
          ...(tls === undefined ? {} : { ssl: { ...tls, verifyIdentity: tls.rejectUnauthorized } }),
          charset: 'utf8mb4',
          connectTimeout: limits.connectTimeoutMs,
          // A server could ask for a file of this machine.
          flags: ['-LOCAL_FILES'],
        })
        // Without a listener, a connection that is lost while it is idle would end the process.
        client.on('error', () => ended.add(client))
        client.on('end', () => ended.add(client))
        if (socket !== undefined) sockets.set(client, socket)
        await inTime(prepareSession(client, consistency), limits.connectTimeoutMs)
        return client
      } catch (error) {
        socket?.destroy()
        throw asLost(error)
      }
    },
    close(client, broken) {
      // Its own destroy waits for the server too.
      if (broken) client.destroy()
      else client.end().catch(() => client.destroy())
      const socket = sockets.get(client)
      if (socket !== undefined) endSocket(socket, broken)
    },
    isOpen: (client) => !ended.has(client),
    ping: (client) => client.ping(),
  }
}
