import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** How a child process ended. */
export interface ChildResult {
  readonly status: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

/** What may be set for a child. */
export interface ChildOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A command that runs Node, such as `prlimit … --`. */
  readonly wrapper?: readonly string[]
}

/** Runs a file of `test/children` from the sources, with a clean environment as far as this package looks at it. */
export function runChild(name: string, { args = [], env = {}, wrapper = [] }: ChildOptions = {}): ChildResult {
  const file = fileURLToPath(new URL(`../children/${name}`, import.meta.url))
  const command = [...wrapper, process.execPath, '--conditions=asherah-source', '--no-warnings', file, ...args]
  const { ASHERAH_NATIVE: _mode, ASHERAH_NATIVE_PATH: _path, NODE_OPTIONS: _options, ...inherited } = process.env
  const { status, signal, stdout, stderr, error } = spawnSync(command[0] ?? '', command.slice(1), {
    env: { ...inherited, ...env },
    encoding: 'utf8',
    timeout: 110_000,
    maxBuffer: 16 * 1_024 * 1_024,
  })
  if (error !== undefined) throw error
  return { status, signal, stdout, stderr }
}

/** The JSON that a child printed last. @throws with everything it printed when it failed. */
export function resultOf(child: ChildResult): unknown {
  const line = child.stdout.trim().split('\n').at(-1)
  if (child.status !== 0 || line === undefined || line === '') {
    throw new Error(`the child ended with ${child.status ?? child.signal}:\n${child.stdout}${child.stderr}`)
  }
  return JSON.parse(line)
}
