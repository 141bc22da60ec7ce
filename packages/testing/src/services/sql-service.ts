import { execFile } from 'node:child_process'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SEEDED_SECRET } from '../seeded-markers.ts'
import type { Child } from './child.ts'
import type { Running } from './service.ts'

/** A running SQL server, and what a test may do to it. */
export interface SqlServer {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** All of it: `postgres://test:…@127.0.0.1:40001/test`. */
  readonly url: string
  /** Only where the launcher started the program itself. */
  readonly process?: SqlServerProcess
}

/** A server that a test may kill. */
export interface SqlServerProcess {
  /** As `kill -9`. */
  crash(): Promise<void>
  /** After `crash`: the same data on the same port again. */
  restart(): Promise<void>
}

/** Options of the launchers of SQL servers. With any of them only the local program will do. */
export interface SqlServerOptions {
  /** The server's own certificate and key, in PEM, as `createTestCertificate` makes them; default none, and no TLS. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** The server's time zone, such as `America/New_York`; default UTC. */
  readonly timeZone?: string
}

/** Who the launchers log in as, and the database that they make. */
export const TEST_LOGIN: { readonly user: string; readonly password: string; readonly database: string } = {
  user: 'test',
  password: SEEDED_SECRET,
  database: 'test',
}

/** The parts of a URL such as `postgres://user:password@host:port/database`. */
export function sqlServerOf(url: string, defaultPort: number): SqlServer {
  const { hostname, port, username, password, pathname } = new URL(url)
  return {
    host: hostname,
    port: port === '' ? defaultPort : Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: decodeURIComponent(pathname.slice(1)),
    url,
  }
}

/** Where a server that this process started keeps its files, and as whom it runs. */
export interface ServerFolder {
  readonly path: string
  /** Empty: the server runs as this process does. */
  readonly owner: { readonly uid?: number; readonly gid?: number }
  /** A file that only the server can read. */
  write(name: string, content: string): string
  /** Runs a program as the server's user, to its end. */
  run(command: string, args: readonly string[], options?: RunOptions): Promise<void>
  remove(): void
}

interface RunOptions {
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
}

const NOBODY = 65_534

/**
 * An empty folder, made for one server.
 *
 * @param refusesRoot Where this process is root, the server runs as nobody.
 */
export function createServerFolder(name: string, refusesRoot: boolean): ServerFolder {
  const path = mkdtempSync(join(tmpdir(), `asherah-${name}-`))
  const owner = refusesRoot && process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
  const give = (file: string, mode: number): string => {
    chmodSync(file, mode)
    if (owner.uid !== undefined) chownSync(file, owner.uid, owner.gid)
    return file
  }
  give(path, 0o700)
  return {
    path,
    owner,
    write(file, content) {
      writeFileSync(join(path, file), content)
      return give(join(path, file), 0o600)
    },
    run: (command, args, { env, input } = {}) =>
      new Promise((resolve, reject) => {
        const child = execFile(command, args, { cwd: path, env, ...owner, timeout: 120_000 }, (error, _, stderr) => {
          if (error === null) resolve()
          else reject(new Error(`${command} failed: ${stderr.slice(-2_000)}`, { cause: error }))
        })
        // It may end before it has read everything; its status says why.
        child.stdin?.on('error', () => {})
        child.stdin?.end(input)
      }),
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

/** A server that this process started in a folder; `start` is called again after a crash. */
export async function runningServer(
  url: string,
  defaultPort: number,
  folder: ServerFolder,
  start: () => Promise<Child>,
): Promise<Running<SqlServer>> {
  let child = await start()
  return {
    details: {
      ...sqlServerOf(url, defaultPort),
      process: {
        async crash() {
          child.kill('SIGKILL')
          await child.stop()
        },
        async restart() {
          child = await start()
        },
      },
    },
    async stop() {
      await child.stop()
      folder.remove()
    },
  }
}
