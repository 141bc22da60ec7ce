import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** How a child process ended. */
export interface ChildResult {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly signal: string | null
  readonly stdout: string
  readonly stderr: string
}

/** How to start a child. */
export interface ChildOptions {
  /** Options of Node itself. */
  readonly node?: readonly string[]
  /** Arguments of prlimit, which starts it under other limits. */
  readonly limits?: readonly string[]
}

const TIMEOUT_MS = 60_000

/** Starts a program of `test/children` from its source. */
export function startChild(
  program: string,
  args: readonly string[] = [],
  options: ChildOptions = {},
): ChildProcessWithoutNullStreams {
  const file = fileURLToPath(new URL(`../children/${program}`, import.meta.url))
  const command = [
    ...(options.limits === undefined ? [] : ['prlimit', ...options.limits]),
    process.execPath,
    '--conditions=asherah-source',
    ...(options.node ?? []),
    file,
    ...args,
  ]
  const [executable = '', ...rest] = command
  return spawn(executable, rest, { stdio: 'pipe', timeout: TIMEOUT_MS, killSignal: 'SIGKILL' })
}

/** Runs a program of `test/children` to its end. */
export async function runChild(
  program: string,
  args: readonly string[] = [],
  options: ChildOptions = {},
): Promise<ChildResult> {
  return endOf(startChild(program, args, options))
}

/** Waits for the end of a child whose output nobody else reads. */
export async function endOf(child: ChildProcessWithoutNullStreams): Promise<ChildResult> {
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code, signal] = await once(child, 'close')
  return { code, signal, stdout, stderr }
}

/** A child that answers each line with a line. */
export interface Conversation {
  readonly pid: number
  /** Sends a line and waits for the answer. */
  ask(line: string): Promise<string>
  /** Ends the child's input, and waits for its end. */
  end(): Promise<void>
}

/** Starts a child for a {@link Conversation}. */
export function converse(program: string, args: readonly string[] = [], options: ChildOptions = {}): Conversation {
  const child = startChild(program, args, options)
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const closed = once(child, 'close')
  child.stderr.pipe(process.stderr)
  return {
    pid: child.pid ?? -1,
    async ask(line) {
      child.stdin.write(`${line}\n`)
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`the child ended instead of answering ${line}`)
      return value
    },
    async end() {
      child.stdin.end()
      await closed
    },
  }
}
