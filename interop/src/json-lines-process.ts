import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { ownProperty } from './json.ts'

/** A child process that answers JSON requests, one a line. */
export interface JsonLinesProcess {
  /**
   * Sends `{ id, op, ...fields }` and gives the `result` of the answer with the same id.
   *
   * @throws PeerError when the peer answers with an error.
   * @throws Error with the end of the process's log when it ends or does not answer in 30 s.
   */
  request(op: string, fields?: Readonly<Record<string, unknown>>): Promise<unknown>
  /** Ends the process: closes its input, and kills it by its pid if it is still there 5 s later. */
  stop(): Promise<void>
}

/** What the peer itself said about a request that it refused. */
export class PeerError extends Error {
  override readonly name = 'PeerError'
}

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

/**
 * Starts a process that speaks JSON lines; what it writes on standard error is shown when it fails.
 *
 * @param variables Beside the few that any program needs: the peers read settings from variables, which must not leak in.
 */
export function startJsonLines(
  command: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): JsonLinesProcess {
  const env = { ...bareEnvironment(), ...variables }
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-4_000)
  })

  const waiting = new Map<number, Waiting>()
  let lastId = 0
  let ended: Error | undefined

  const fail = (reason: string): void => {
    ended ??= new Error(`${command}: ${reason}\n${log}`)
    for (const { reject } of waiting.values()) reject(ended)
    waiting.clear()
  }
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      fail(error.message)
      resolve()
    })
    child.once('close', (code, signal) => {
      fail(`ended with ${signal ?? `code ${code}`}`)
      resolve()
    })
  })
  // A write to a process that has just ended: `close` says so.
  child.stdin.on('error', () => {})

  createInterface({ input: child.stdout }).on('line', (line) => {
    const answer = parseAnswer(line)
    if (answer === undefined) return fail(`not an answer: ${line.slice(0, 200)}`)
    const waiter = waiting.get(answer.id)
    waiting.delete(answer.id)
    if (answer.error === undefined) waiter?.resolve(answer.result)
    else waiter?.reject(new PeerError(answer.error))
  })

  return {
    request: (op, fields = {}) =>
      new Promise((resolve, reject) => {
        if (ended !== undefined) return reject(ended)
        const id = ++lastId
        const timer = setTimeout(() => fail(`no answer to ${op} in 30 s`), 30_000)
        const settle = (end: () => void) => {
          clearTimeout(timer)
          end()
        }
        waiting.set(id, {
          resolve: (result) => settle(() => resolve(result)),
          reject: (error) => settle(() => reject(error)),
        })
        child.stdin.write(`${JSON.stringify({ ...fields, id, op })}\n`)
      }),
    stop: async () => {
      child.stdin.end()
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exited
      clearTimeout(timer)
    },
  }
}

function parseAnswer(line: string): { id: number; result: unknown; error: string | undefined } | undefined {
  let json: unknown
  try {
    json = JSON.parse(line)
  } catch {
    return undefined
  }
  const id = ownProperty(json, 'id')
  const ok = ownProperty(json, 'ok')
  if (typeof id !== 'number' || typeof ok !== 'boolean') return undefined
  return {
    id,
    result: ownProperty(json, 'result'),
    error: ok ? undefined : String(ownProperty(json, 'error')),
  }
}

function bareEnvironment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'HOME', 'JAVA_HOME', 'LD_LIBRARY_PATH', 'TMPDIR', 'TEMP', 'TMP', 'SYSTEMROOT', 'USERPROFILE']
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => kept.includes(name.toUpperCase())))
}
