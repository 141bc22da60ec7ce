import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach } from 'vitest'

/** Node before 22.18 strips types only when asked to. */
const STRIP_TYPES = process.features.typescript === 'strip' ? [] : ['--experimental-strip-types']
const FLAGS = ['--conditions=asherah-source', '--no-warnings', ...STRIP_TYPES]

/** A script that runs in a process of its own and talks in lines. */
export interface Child {
  /** What it has printed. */
  readonly lines: readonly string[]
  /** Settles when it has printed such a line `times` times; rejects when it ends before. */
  printed(line: string | RegExp, times?: number): Promise<void>
  send(line: string): void
  /** No more lines; waits until it has ended. */
  end(): Promise<void>
  /** As `kill -9`; waits until everything that it had printed is read. */
  kill(): Promise<void>
}

const running = new Set<Child>()
afterEach(async () => {
  for (const child of running) await child.kill()
})

/** Starts a script; what is left of it after the test is killed. */
export function startChild(script: URL, args: readonly string[]): Child {
  const file = fileURLToPath(script)
  const process_ = spawn(process.execPath, [...FLAGS, file, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  const reader = createInterface({ input: process_.stdout })
  reader.on('line', (line) => lines.push(line))
  process_.stdin.on('error', () => {}) // it may be killed while it is written to
  let ended = false
  const end = once(reader, 'close').then(() => {
    ended = true
    running.delete(child)
  })
  const child: Child = {
    lines,
    async printed(expected, times = 1) {
      const matches = (line: string): boolean =>
        typeof expected === 'string' ? line === expected : expected.test(line)
      while (lines.filter(matches).length < times) {
        if (ended) throw new Error(`${file} ended after ${lines.length} lines, before it printed ${String(expected)}`)
        await Promise.race([once(reader, 'line'), end])
      }
    },
    send: (line) => process_.stdin.write(`${line}\n`),
    end() {
      process_.stdin.end()
      return end
    },
    kill() {
      process_.kill('SIGKILL')
      return end
    },
  }
  running.add(child)
  return child
}
