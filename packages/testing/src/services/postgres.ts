import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, portAnswers, startChild } from './child.ts'
import { runTool } from './run-tool.ts'
import { type Running, type Service, ServiceUnavailableError, startService } from './service.ts'
import {
  createServerFolder,
  runningServer,
  type SqlServer,
  type SqlServerOptions,
  sqlServerOf,
  TEST_LOGIN,
} from './sql-service.ts'

const DEFAULT_PORT = 5_432
const { user, password, database } = TEST_LOGIN

/** PostgreSQL: `ASHERAH_TEST_POSTGRES_URL`, a container, or the programs of Debian's `postgresql`. */
export function startPostgres(options: SqlServerOptions = {}): Promise<Service<SqlServer>> {
  const isPlain = options.tls === undefined && options.timeZone === undefined
  return startService({
    name: 'PostgreSQL',
    variable: isPlain ? 'ASHERAH_TEST_POSTGRES_URL' : 'ASHERAH_TEST_POSTGRES_SPECIAL_URL',
    fromVariable: (url) => sqlServerOf(url, DEFAULT_PORT),
    ...(isPlain ? { startContainer } : {}),
    startLocal: () => startLocal(options),
  })
}

async function startContainer(): Promise<Running<SqlServer>> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const container = await new GenericContainer('postgres:17-alpine')
    .withEnvironment({ POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: database })
    .withExposedPorts(DEFAULT_PORT)
    // It starts twice: the first time only to make the database.
    .withWaitStrategy(Wait.forLogMessage(/ready to accept connections/, 2))
    .start()
  const url = `postgres://${user}:${password}@${container.getHost()}:${container.getMappedPort(DEFAULT_PORT)}/${database}`
  return { details: sqlServerOf(url, DEFAULT_PORT), stop: async () => void (await container.stop()) }
}

async function startLocal({ tls, timeZone = 'UTC' }: SqlServerOptions): Promise<Running<SqlServer>> {
  const programs = await findPrograms()
  const folder = createServerFolder('postgres', true)
  const data = join(folder.path, 'data')
  const passwordFile = folder.write('password', password)
  const login = ['-U', user, '-A', 'scram-sha-256', '--pwfile', passwordFile]
  await folder.run(join(programs, 'initdb'), ['-D', data, ...login, '-E', 'UTF8', '--locale=C', '--no-sync'])

  const port = await freePort()
  const settings = {
    fsync: 'off',
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    timezone: timeZone,
    ...(tls === undefined
      ? {}
      : {
          ssl: 'on',
          ssl_cert_file: folder.write('server.crt', tls.cert),
          ssl_key_file: folder.write('server.key', tls.key),
        }),
  }
  const args = ['-D', data, '-p', String(port)]
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`)
  const postgres = {
    name: 'postgres',
    command: join(programs, 'postgres'),
    args,
    cwd: folder.path,
    ...folder.owner,
    ready: () => portAnswers(port),
    stopSignal: 'SIGINT',
  } as const
  const url = `postgres://${user}:${password}@127.0.0.1:${port}/${database}`
  const running = await runningServer(url, DEFAULT_PORT, folder, () => startChild(postgres))
  try {
    await createDatabase(() =>
      folder.run(join(programs, 'createdb'), ['-h', '127.0.0.1', '-p', String(port), '-U', user, database], {
        env: { PGPASSWORD: password },
      }),
    )
  } catch (error) {
    await running.stop()
    throw error
  }
  return running
}

/** The port answers a moment before the server lets anyone in. */
async function createDatabase(create: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < 50; tries++) {
    try {
      return await create()
    } catch (error) {
      if (!String(error).includes('starting up')) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
}

/** The folder of the server's programs; Debian keeps them off the PATH. */
async function findPrograms(): Promise<string> {
  const config = await runTool('pg_config', ['--bindir'])
  const debian = '/usr/lib/postgresql'
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
  const folders = [
    ...(config.status === 'ok' ? [config.output] : []),
    ...versions.map((version) => join(debian, version, 'bin')),
  ]
  const found = folders.find((folder) => existsSync(join(folder, 'postgres')) && existsSync(join(folder, 'initdb')))
  if (found === undefined) throw new ServiceUnavailableError('PostgreSQL is not installed (Debian: postgresql)')
  return found
}
