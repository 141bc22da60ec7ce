import { types } from 'node:util'
import { InvalidConfigError, InvalidInputError } from '@asherah/core'
import {
  type EventLogHook,
  hooks,
  type LogEvent,
  type LogHook,
  levelNumbers,
  type MetricsHook,
  type NumberedLogHook,
} from './hooks.ts'
import { isIdle } from './module-api.ts'

/** Of a variable. Windows has names with brackets. */
const NAME = /^[A-Za-z_][A-Za-z0-9_.()-]*$/

/**
 * Sets environment variables before {@link setup}: a JSON object of texts (null unsets one), or `KEY=VALUE` lines.
 *
 * All of it is checked before any of it is applied.
 *
 * @throws InvalidConfigError when it is neither, or after setup.
 */
export function setenv(environment: string): void {
  if (typeof environment !== 'string')
    throw new InvalidConfigError('setenv takes text: a JSON object, or KEY=VALUE lines')
  if (!isIdle()) throw new InvalidConfigError('setenv must come before setup: the environment was read already')
  const variables = environment.trimStart().startsWith('{') ? fromJson(environment) : fromLines(environment)
  for (const [name, value] of variables) {
    if (value === undefined) delete process.env[name]
    else process.env[name] = value
  }
}

type Variables = (readonly [string, string | undefined])[]

function fromJson(text: string): Variables {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw new InvalidConfigError('setenv: the text begins as a JSON object and is none')
  }
  return Object.entries(Object(parsed)).map(([name, value]) => {
    checkName(name)
    if (value === null) return [name, undefined] as const
    if (typeof value === 'string' && !value.includes('\0')) return [name, value] as const
    throw new InvalidConfigError(`setenv: the value of ${JSON.stringify(name)} is text, or null to unset it`)
  })
}

function fromLines(text: string): Variables {
  const lines = text.split(/\r?\n/).map((line) => line.trim())
  const wanted = lines.filter((line) => line !== '' && !line.startsWith('#'))
  if (wanted.length === 0) throw new InvalidConfigError('setenv: the text holds no variable')
  return wanted.map((line, index) => {
    const equals = line.indexOf('=')
    // Not the line itself: it may hold a secret.
    if (equals < 1)
      throw new InvalidConfigError(`setenv: line ${index + 1} is not KEY=VALUE, and the text is no JSON object`)
    const name = line.slice(0, equals).trim()
    checkName(name)
    if (line.includes('\0')) throw new InvalidConfigError(`setenv: line ${index + 1} holds a zero byte`)
    return [name, line.slice(equals + 1)] as const
  })
}

function checkName(name: string): void {
  if (!NAME.test(name)) throw new InvalidConfigError('setenv: a name has letters, digits and _ only')
}

/** Wipes a decrypted payload. @throws InvalidInputError when it is not bytes. */
export function clearPlaintext(plaintext: Uint8Array): void {
  if (!types.isUint8Array(plaintext)) throw new InvalidInputError('clearPlaintext takes bytes: text cannot be wiped')
  plaintext.fill(0)
}

/**
 * Sends log lines to a function: with one parameter `{ level, message, target }`, with two the level's number (trace -1,
 * debug 0, info 1, warn 2, error 3) and the message. null ends it. It runs in a later tick; what it throws is not heard.
 */
export function setLogHook(hook: EventLogHook | null): void
export function setLogHook(hook: NumberedLogHook): void
export function setLogHook(hook: LogHook | null): void {
  setHook(hook, 'v4', isNumbered)
}

/** As 3.x: `(level, message)` with syslog's numbers (error 3, warning 4, info 6, debug 7). */
export function set_log_hook(hook: NumberedLogHook | null): void {
  setHook(hook, 'syslog', () => true)
}

function setHook(
  hook: LogHook | null | undefined,
  numbers: 'v4' | 'syslog',
  numbered: (hook: LogHook) => boolean,
): void {
  if (hook === null || hook === undefined) {
    hooks.setLog(undefined)
    return
  }
  if (typeof hook !== 'function') throw new InvalidInputError('a log hook is a function, or null')
  if (numbered(hook)) hooks.setLog((event) => callNumbered(hook, levelNumbers[numbers][event.level], event.message))
  else hooks.setLog((event) => callWithEvent(hook, event))
}

function isNumbered(hook: LogHook): hook is NumberedLogHook {
  return hook.length >= 2
}

function callNumbered(hook: LogHook, level: number, message: string): void {
  Reflect.apply(hook, undefined, [level, message])
}

function callWithEvent(hook: LogHook | EventLogHook, event: LogEvent): void {
  Reflect.apply(hook, undefined, [event])
}

/** Sends measurements to a function; null ends it. It runs in a later tick; what it throws is not heard. */
export function setMetricsHook(hook: MetricsHook | null): void {
  if (hook !== null && hook !== undefined && typeof hook !== 'function') {
    throw new InvalidInputError('a metrics hook is a function, or null')
  }
  hooks.setMetrics(hook ?? undefined)
}

/** How many events no hook got, since more than 4,096 waited. */
export function droppedHookEvents(): number {
  return hooks.dropped
}

/** Accepted for programs of the old packages: there are no buffers of that kind here. @throws RangeError */
export function setMaxStackAllocItemSize(size: number): void {
  checkSize(size)
}

/** Accepted for programs of the old packages: there are no buffers of that kind here. @throws RangeError */
export function setSafetyPaddingOverhead(size: number): void {
  checkSize(size)
}

function checkSize(size: number): void {
  if (!Number.isSafeInteger(size) || size < 0 || size > 2 ** 31 - 1) {
    throw new RangeError('a size is a whole number from 0 to 2147483647')
  }
}
