import { type Connector, inTime, type OwnConnections, type ReplicaReadConsistency } from '@asherah/sql-shared'
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
  const ended = new WeakSet<OwnClient>()
  return {
    async open() {
      const client = new pg.Client({
        ...connection,
        ssl: tls ?? false,
        connectionTimeoutMillis: limits.connectTimeoutMs,
        keepAlive: true,
        fallback_application_name: 'asherah',
      })
      // Without a listener, a connection that is lost while it is idle would end the process.
      client.on('error', () => ended.add(client))
      client.on('end', () => ended.add(client))
      try {
        await client.connect()
        await inTime(prepareSession(client, consistency), limits.connectTimeoutMs)
      } catch (error) {
        client.end().catch(() => {})
        throw asLost(error)
      }
      return client
    },
    close(client) {
      client.end().catch(() => {})
    },
    isOpen: (client) => !ended.has(client),
    ping: (client) => client.query({ text: 'SELECT 1' }),
  }
}
