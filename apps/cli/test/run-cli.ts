import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../src/bin.ts', import.meta.url))

/** How a child process runs. */
export interface CliOptions {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Fed to standard input, which is then closed. */
  readonly input?: string | Uint8Array
  readonly nodeArgs?: readonly string[]
}

/** What a child process did. */
export interface CliResult {
  readonly code: number | null
  readonly stdout: Buffer
  readonly stderr: string
}

/** Starts the real command from its source. Nothing of the tester's own environment reaches it but the PATH. */
export function startCli(args: readonly string[], options: CliOptions): ChildProcess {
  return spawn(process.execPath, [...(options.nodeArgs ?? []), '--conditions=asherah-source', bin, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, TMPDIR: options.cwd, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** Runs the command to its end. */
export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const child = startCli(args, options)
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk))
  // A command that refuses its options ends before it has read.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(options.input ?? '')
  const [code] = await once(child, 'close')
  return {
    code: typeof code === 'number' ? code : null,
    stdout: Buffer.concat(stdout),
    stderr: Buffer.concat(stderr).toString(),
  }
}
