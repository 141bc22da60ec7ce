import childProcess, { ChildProcess } from 'node:child_process'
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'
import util from 'node:util'
import type { MarkerName } from './find-markers.ts'
import type { LeakLog } from './leak-log.ts'
import { inspected } from './watch-errors.ts'

/** A test may decrypt in a child process, and read the plaintext from it. */
const CHILD_OUTPUT: ReadonlySet<MarkerName> = new Set(['plaintext', 'encoded plaintext'])
const NOTHING: ReadonlySet<MarkerName> = new Set()

/** Replaces a method by one that calls `before` with the arguments, or `after` with what it gave, too. */
function wrap(target: object, name: string, before?: (args: unknown[], self: object) => void, after?: After): void {
  const method: unknown = Reflect.get(target, name)
  if (typeof method !== 'function') throw new Error(`there is no ${name}() to watch`)
  const watched = function (this: object, ...args: unknown[]): unknown {
    before?.(args, this)
    const result: unknown = Reflect.apply(method, this, args)
    after?.(result, args, this)
    return result
  }
  Reflect.set(target, name, watched)
}

type After = (result: unknown, args: unknown[], self: object) => void

/** Looks at what this process prints: standard output and error, the console, and the process's warnings. */
export function watchPrinting(log: LeakLog): void {
  for (const name of ['stdout', 'stderr'] as const) {
    wrap(process[name], 'write', ([chunk]) => log.look(`process.${name}`, textOf(chunk)))
  }
  // Vitest's console has streams of its own.
  for (const name of ['_stdout', '_stderr']) {
    const stream: unknown = Reflect.get(console, name)
    if (typeof stream === 'object' && stream !== null && stream !== process.stdout && stream !== process.stderr) {
      wrap(stream, 'write', ([chunk]) => log.look('the console', textOf(chunk)))
    }
  }
  process.on('warning', (warning) => log.look(`the warning ${warning.name}`, inspected(warning)))
}

/** Looks at what Node children print into a pipe: a test that starts the product in a process of its own holds that. */
export function watchChildren(log: LeakLog): void {
  wrap(ChildProcess.prototype, 'spawn', undefined, (_, [options], child) => {
    const file: unknown = typeof options === 'object' && options !== null ? Reflect.get(options, 'file') : undefined
    if (!isNode(file)) return
    const { stdout, stderr } = child instanceof ChildProcess ? child : {}
    for (const [name, stream, allowed] of [
      ['standard output', stdout, CHILD_OUTPUT],
      ['standard error', stderr, NOTHING],
    ] as const) {
      if (stream === null || stream === undefined) continue
      // A marker may be in two chunks.
      let end = ''
      // `push`: a listener for the data would begin to read before the test does.
      wrap(stream, 'push', ([chunk]) => {
        const text = end + textOf(chunk)
        log.look(`the ${name} of a child process`, text, allowed)
        end = text.slice(-256)
      })
    }
  })
}

/** The same for children that are waited for; the output of one that fails in `execFileSync` is not seen. */
export function watchSyncChildren(log: LeakLog): void {
  wrap(childProcess, 'spawnSync', undefined, (result, [file]) => {
    if (!isNode(file) || typeof result !== 'object' || result === null) return
    log.look('the standard output of a child process', textOf(Reflect.get(result, 'stdout')), CHILD_OUTPUT)
    log.look('the standard error of a child process', textOf(Reflect.get(result, 'stderr')))
  })
  wrap(childProcess, 'execFileSync', undefined, (stdout, [file]) => {
    if (isNode(file)) log.look('the standard output of a child process', textOf(stdout), CHILD_OUTPUT)
  })
  syncBuiltinESMExports()
}

/** Other programs are servers, and the peers in other languages. */
function isNode(file: unknown): boolean {
  return typeof file === 'string' && /^(node|bun)/.test(basename(file))
}

/** Looks at what tests get of `util.inspect`, whatever they inspect. */
export function watchInspect(log: LeakLog): void {
  util.inspect = new Proxy(util.inspect, {
    apply(inspect, self, args) {
      const text: unknown = Reflect.apply(inspect, self, args)
      if (typeof text === 'string') log.look('the result of util.inspect()', text)
      return text
    },
  })
  syncBuiltinESMExports()
}

/** Looks at the messages of the library's channels, without subscribing: the library does less while nobody does. */
export function watchChannels(log: LeakLog): void {
  const name = 'leak-scan'
  const listener = (): void => undefined
  const one = channel(name)
  const prototypes = new Set<object>([prototypeOf(one)])
  // With subscribers it has another prototype.
  subscribe(name, listener)
  prototypes.add(prototypeOf(one))
  unsubscribe(name, listener)
  for (const prototype of prototypes) {
    wrap(prototype, 'publish', ([message], self) => {
      const topic = String(Reflect.get(self, 'name'))
      if (!/(^|:)asherah:/.test(topic) || isOfTest(message) || !log.isNew(topic)) return
      log.look(`a message on ${topic}`, inspected(message))
    })
  }
}

/** What a test publishes itself, to see that a hook gets it without the secrets. */
function isOfTest(message: unknown): boolean {
  return typeof message === 'object' && message !== null && Reflect.get(message, 'code') === 'TEST'
}

function prototypeOf(value: object): object {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (typeof prototype !== 'object' || prototype === null) throw new Error('a channel has no prototype')
  return prototype
}

function textOf(chunk: unknown): string {
  if (typeof chunk === 'string') return chunk
  if (!(chunk instanceof Uint8Array)) return ''
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1')
}
