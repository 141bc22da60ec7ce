import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** What {@link startChild} starts, and how it knows that it is up. */
export interface ChildOptions {
  /** The service's name, for messages. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** Resolves to true once the service answers; asked every 50 ms. A rejection counts as "not yet". */
  readonly ready: () => Promise<boolean>
  readonly cwd?: string
  /** Instead of this process's variables. */
  readonly env?: NodeJS.ProcessEnv
  readonly uid?: number
  readonly gid?: number
  /** What asks the service to end; `SIGKILL` follows 10 s later. Default `SIGTERM`. */
  readonly stopSignal?: NodeJS.Signals
  /** Default 60,000. */
  readonly readyTimeoutMs?: number
}

/** A service that runs as a child of this process. */
export interface Child {
  readonly pid: number
  /** The end of what it wrote so far. */
  log(): string
  /** Sends a signal, as a test that kills a primary does. */
  kill(signal: NodeJS.Signals): void
  /** Asks it to end and waits until it has. */
  stop(): Promise<void>
}

/**
 * Starts a program, and waits until it is ready.
 *
 * @throws Error with the end of its log, when it ends first or is not ready in time.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const folder = mkdtempSync(join(tmpdir(), `asherah-${options.name}-log-`))
  const logFile = join(folder, 'log')
  const output = openSync(logFile, 'w')
  const { cwd, env, uid, gid } = options
  const [command, args] = endsWithUs(options.command, options.args)
  const child = spawn(command, args, { cwd, env, uid, gid, stdio: ['ignore', output, output] })
  closeSync(output)
  // A worker that ends without `stop` must not leave its services behind.
  const killWithParent = (): void => void child.kill('SIGKILL')
  process.once('exit', killWithParent)

  let end: string | undefined
  const ended = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      end = error.message
      resolve()
    })
    child.once('exit', (code, signal) => {
      end = `it ended with ${signal ?? `code ${code}`}`
      resolve()
    })
  })
  const log = (): string => readFileSync(logFile, 'utf8').slice(-4_000)
  const stop = async (): Promise<void> => {
    process.off('exit', killWithParent)
    await endChild(child, ended, options.stopSignal ?? 'SIGTERM', () => end !== undefined)
    rmSync(folder, { recursive: true, force: true })
  }

  const timeoutMs = options.readyTimeoutMs ?? 60_000
  const deadline = Date.now() + timeoutMs
  // Once it has ended, what answers is another service, on a port that both had found free.
  while (!(await options.ready().catch(() => false)) || end !== undefined) {
    if (end === undefined && Date.now() > deadline) end = `it was not ready in ${timeoutMs} ms`
    if (end === undefined) {
      await Promise.race([sleep(50), ended])
      continue
    }
    const problem = new Error(`${options.name} did not start: ${end}. The end of its log:\n${log()}`)
    child.kill('SIGKILL')
    await stop()
    throw problem
  }
  return { pid: child.pid ?? 0, log, kill: (signal) => void child.kill(signal), stop }
}

const SETPRIV = '/usr/bin/setpriv'

/** Where Linux can, it kills the child with this process, even one that was killed itself; elsewhere, `exit` must do. */
function endsWithUs(command: string, args: readonly string[]): [command: string, args: readonly string[]] {
  if (process.platform !== 'linux' || !existsSync(SETPRIV)) return [command, args]
  return [SETPRIV, ['--pdeathsig', 'KILL', '--', command, ...args]]
}

async function endChild(
  child: ChildProcess,
  ended: Promise<void>,
  signal: NodeJS.Signals,
  hasEnded: () => boolean,
): Promise<void> {
  if (hasEnded()) return
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
  await ended
  clearTimeout(timer)
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port)
        else reject(new Error('no port'))
      })
    })
  })
}

/** Whether something accepts connections on a port of 127.0.0.1. */
export function portAnswers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Whether a GET of `url` gives one of these statuses. */
export async function httpAnswers(url: string, statuses: readonly number[]): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
  await response.arrayBuffer()
  return statuses.includes(response.status)
}
