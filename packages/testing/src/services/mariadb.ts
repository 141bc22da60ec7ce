import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { preparedFolder } from './cache-dir.ts'
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

const DEFAULT_PORT = 3_306
const { user, password, database } = TEST_LOGIN

/** Debian's packages: the server, and the libraries that a machine without it may lack. */
const PACKAGES = ['mariadb-server-core', 'libaio1', 'liburing2']
const DOWNLOAD_TIMEOUT_MS = 300_000

/** A server's own tables, in the order in which they are made. */
const SYSTEM_TABLES = [
  'mysql_system_tables.sql',
  'mysql_performance_tables.sql',
  'mysql_system_tables_data.sql',
  'maria_add_gis_sp_bootstrap.sql',
]

/** Whoever connects from this machine with the password may do everything. */
const USERS = `CREATE DATABASE IF NOT EXISTS ${database};
CREATE USER IF NOT EXISTS '${user}'@'%' IDENTIFIED BY '${password}';
GRANT ALL ON *.* TO '${user}'@'%' WITH GRANT OPTION;
`

/**
 * MariaDB: `ASHERAH_TEST_MARIADB_URL` (MySQL will do as well), a container, the `mariadbd` of this machine, or Debian's
 * packages in the user's cache folder, which are not installed.
 */
export function startMariaDb(options: SqlServerOptions = {}): Promise<Service<SqlServer>> {
  const isPlain = options.tls === undefined && options.timeZone === undefined
  return startService({
    name: 'MariaDB',
    variable: isPlain ? 'ASHERAH_TEST_MARIADB_URL' : 'ASHERAH_TEST_MARIADB_SPECIAL_URL',
    fromVariable: (url) => sqlServerOf(url, DEFAULT_PORT),
    ...(isPlain ? { startContainer } : {}),
    startLocal: () => startLocal(options),
  })
}

async function startContainer(): Promise<Running<SqlServer>> {
  const { GenericContainer, Wait } = await import('testcontainers')
  const container = await new GenericContainer('mariadb:11.4')
    .withEnvironment({ MARIADB_ROOT_PASSWORD: password, MARIADB_DATABASE: database })
    .withExposedPorts(DEFAULT_PORT)
    // It starts twice: the first time only to make the database.
    .withWaitStrategy(Wait.forLogMessage(/ready for connections/, 2))
    .start()
  const url = `mysql://root:${password}@${container.getHost()}:${container.getMappedPort(DEFAULT_PORT)}/${database}`
  return { details: sqlServerOf(url, DEFAULT_PORT), stop: async () => void (await container.stop()) }
}

interface Installation {
  readonly command: string
  /** The folder of the SQL files and of the messages. */
  readonly share: string
  readonly env: NodeJS.ProcessEnv
}

async function startLocal({ tls, timeZone = 'UTC' }: SqlServerOptions): Promise<Running<SqlServer>> {
  const { command, share, env } = await findInstallation()
  const folder = createServerFolder('mariadb', false)
  const data = join(folder.path, 'data')
  // A database is a folder.
  mkdirSync(join(data, 'mysql'), { recursive: true })
  const asRoot = process.getuid?.() === 0 ? ['--user=root'] : []
  const files = [
    '--no-defaults',
    `--datadir=${data}`,
    `--tmpdir=${folder.path}`,
    `--lc-messages-dir=${share}`,
    ...asRoot,
  ]
  // 2: what was committed survives `crash`, not a power cut.
  const small = ['--innodb-log-file-size=8M', '--innodb-buffer-pool-size=32M', '--innodb-flush-log-at-trx-commit=2']
  const tables = SYSTEM_TABLES.map((name) => readFileSync(join(share, name), 'utf8'))
  await folder.run(command, [...files, ...small, '--bootstrap'], { env, input: `use mysql;\n${tables.join('\n')}` })

  const port = await freePort()
  const network = ['--bind-address=127.0.0.1', `--port=${port}`, `--socket=${join(folder.path, 'socket')}`]
  const security =
    tls === undefined
      ? ['--skip-ssl']
      : [`--ssl-cert=${folder.write('server.crt', tls.cert)}`, `--ssl-key=${folder.write('server.key', tls.key)}`]
  const mariadbd = {
    name: 'mariadb',
    command,
    args: [
      ...files,
      ...small,
      ...network,
      ...security,
      '--skip-name-resolve',
      `--init-file=${folder.write('users.sql', USERS)}`,
    ],
    cwd: folder.path,
    // The zone that it calls SYSTEM, without the tables of zones.
    env: { ...env, TZ: timeZone },
    ...folder.owner,
    ready: () => portAnswers(port),
  } as const
  const url = `mysql://${user}:${password}@127.0.0.1:${port}/${database}`
  return runningServer(url, DEFAULT_PORT, folder, () => startChild(mariadbd))
}

async function findInstallation(): Promise<Installation> {
  const share = '/usr/share/mysql'
  for (const command of ['/usr/sbin/mariadbd', '/usr/libexec/mariadbd', '/usr/sbin/mysqld']) {
    if (existsSync(command) && existsSync(join(share, 'maria_add_gis_sp_bootstrap.sql')))
      return { command, share, env: {} }
  }
  const root = await preparedFolder('mariadb', PACKAGES, download)
  return {
    command: join(root, 'usr', 'sbin', 'mariadbd'),
    share: join(root, 'usr', 'share', 'mysql'),
    env: { LD_LIBRARY_PATH: libraryFolders(root).join(':') },
  }
}

async function download(folder: string): Promise<void> {
  const packages = join(folder, 'packages')
  mkdirSync(packages)
  for (const name of PACKAGES) {
    const got = await runTool('apt-get', ['download', '-q', name], { cwd: packages, timeoutMs: DOWNLOAD_TIMEOUT_MS })
    if (got.status === 'ok') continue
    const why = got.status === 'missing' ? 'there is no apt-get' : got.output.slice(-1_000)
    throw new ServiceUnavailableError(`MariaDB is not installed (Debian: mariadb-server-core), and ${why}`)
  }
  for (const file of readdirSync(packages)) {
    const unpacked = await runTool('dpkg-deb', ['-x', join(packages, file), folder])
    if (unpacked.status !== 'ok') throw new Error(`dpkg-deb could not unpack ${file}`)
  }
}

/** Such as `usr/lib/x86_64-linux-gnu` and `lib/x86_64-linux-gnu`. */
function libraryFolders(root: string): string[] {
  return ['lib', join('usr', 'lib')].flatMap((lib) => {
    const folder = join(root, lib)
    if (!existsSync(folder)) return []
    return readdirSync(folder)
      .filter((name) => name.includes('linux-gnu'))
      .map((name) => join(folder, name))
  })
}
