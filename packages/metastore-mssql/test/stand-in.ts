import { createMssqlMetastore, type MssqlMetastore, type MssqlMetastoreOptions } from '@asherah/metastore-mssql'
import {
  createTdsServer,
  SEEDED_SECRET,
  type TdsLogin,
  type TdsServer,
  type TdsServerOptions,
} from '@asherah/testing/services'
import { afterAll } from 'vitest'
import { createTableText } from './server.ts'

/** Who may log in, unless a test says others. */
export const LOGIN: TdsLogin & { readonly password: string } = { name: 'me', password: `p@:/?#%;'"w${SEEDED_SECRET}` }

/** A stand-in with the table of `schema.sql`, which ends after the tests. */
export async function startStandIn(options: Partial<TdsServerOptions> = {}): Promise<TdsServer> {
  const server = await createTdsServer({ logins: [LOGIN], databases: { Keys: {} }, ...options })
  server.run('Keys', createTableText('encryption_key', {}))
  afterAll(() => server.close())
  return server
}

/** A metastore on it, which ends after the tests. Its pauses are short. */
export function connect(server: TdsServer, options: MssqlMetastoreOptions = {}): MssqlMetastore {
  const { name: user, password } = LOGIN
  const metastore = createMssqlMetastore({
    ...(options.connectionString === undefined
      ? { config: { host: '127.0.0.1', port: server.port, database: 'Keys', user, password } }
      : {}),
    ...(options.connectionString === undefined ? { tls: { ca: server.ca } } : {}),
    ...options,
  })
  afterAll(() => metastore.close())
  return metastore
}
