import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { redactText } from '@asherah/config'
import { type CacheEvent, channels, type KeyEvent, type WarningEvent } from '@asherah/core'

/** The name of a log level. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

/** One log line. */
export interface LogEvent {
  readonly level: LogLevel
  readonly message: string
  readonly target: string
}

/** One measurement. `name` of a timer is the canonical libraries' name, such as `ael.drr.encrypt`. */
export type MetricsEvent =
  | {
      readonly type: 'encrypt' | 'decrypt' | 'store' | 'load' | 'kms'
      readonly durationNs: number
      readonly name: string
    }
  | { readonly type: 'cache_hit' | 'cache_miss' | 'cache_stale'; readonly name: string }

/** Takes whole events. */
export type EventLogHook = (event: LogEvent) => void
/** Takes a level's number and a message. */
export type NumberedLogHook = (level: number, message: string) => void
/** Either shape of a log hook. */
export type LogHook = EventLogHook | NumberedLogHook
/** Takes measurements. */
export type MetricsHook = (event: MetricsEvent) => void

/** The numbers of a level in 4.x's `setLogHook` and in 3.x's `set_log_hook`, where they are syslog's. */
export const levelNumbers: Readonly<Record<'v4' | 'syslog', Readonly<Record<LogLevel, number>>>> = {
  v4: { trace: -1, debug: 0, info: 1, warn: 2, error: 3 },
  syslog: { trace: 7, debug: 7, info: 6, warn: 4, error: 3 },
}

/** Events that wait for a slow hook, at most; more are dropped and counted. */
const QUEUE_LIMIT = 4_096

/** Of @asherah/kms-aws, which may not be installed. */
const KMS_REGION_CHANNEL = 'asherah:kms.region'

/** The hooks of this JavaScript environment: state of the module, as the module API is. */
export interface Hooks {
  readonly wantsLog: boolean
  readonly wantsMetrics: boolean
  /** Events that no hook got, since the queue was full. */
  readonly dropped: number
  /** Whether debug and trace messages are wanted. */
  verbose: boolean
  setLog(deliver: ((event: LogEvent) => void) | undefined): void
  setMetrics(deliver: MetricsHook | undefined): void
  log(event: LogEvent): void
  metric(event: MetricsEvent): void
}

/**
 * Hooks run in a later tick than what they tell of, one event at a time: one that throws is not heard, one that is slow loses
 * events, and one that replaces itself gets no further event.
 */
function createHooks(): Hooks {
  let logHook: ((event: LogEvent) => void) | undefined
  let metricsHook: MetricsHook | undefined
  let dropped = 0
  let queue: (() => void)[] = []
  let scheduled = false

  const flush = (): void => {
    scheduled = false
    const events = queue
    queue = []
    for (const deliver of events) {
      try {
        deliver()
      } catch {
        // A hook's failure is the program's: no operation fails for it.
      }
    }
  }
  const enqueue = (deliver: () => void): void => {
    if (queue.length >= QUEUE_LIMIT) {
      dropped += 1
      return
    }
    queue.push(deliver)
    if (scheduled) return
    scheduled = true
    setImmediate(flush)
  }
  const log = (event: LogEvent): void => {
    if (logHook === undefined || (!hooks.verbose && (event.level === 'debug' || event.level === 'trace'))) return
    const told = { ...event, message: redactText(event.message) }
    enqueue(() => logHook?.(told))
  }
  const metric = (event: MetricsEvent): void => {
    if (metricsHook !== undefined) enqueue(() => metricsHook?.(event))
  }

  const onWarning = (message: unknown): void => {
    if (isWarning(message)) log({ level: 'warn', message: `${message.code}: ${message.message}`, target: 'asherah' })
  }
  const onKey = (message: unknown): void => {
    if (!isKeyEvent(message)) return
    const { event, keyId, created } = message
    log({ level: 'info', message: `key ${event}: ${JSON.stringify(keyId)} created ${created}`, target: 'asherah::key' })
  }
  const onCacheLog = (message: unknown): void => {
    if (!isCacheEvent(message)) return
    log({ level: 'debug', message: `${message.cache} cache ${message.event}`, target: 'asherah::cache' })
  }
  const onCacheMetric = (message: unknown): void => {
    if (!isCacheEvent(message) || message.event === 'evict') return
    metric({ type: `cache_${message.event}`, name: message.cache })
  }
  const onKmsRegion = (message: unknown): void => {
    if (!isRegionEvent(message)) return
    const { operation, region, durationMs } = message
    const name = `ael.kms.aws.${operation.toLowerCase()}.${region}`
    metric({ type: 'kms', name, durationNs: Math.round(durationMs * 1e6) })
  }

  const hooks: Hooks = {
    verbose: false,
    get wantsLog() {
      return logHook !== undefined
    },
    get wantsMetrics() {
      return metricsHook !== undefined
    },
    get dropped() {
      return dropped
    },
    setLog(deliver) {
      const change = changeOf(logHook, deliver)
      logHook = deliver
      for (const [channel, hear] of [
        [channels.warning, onWarning],
        [channels.key, onKey],
        [channels.cache, onCacheLog],
      ] as const) {
        if (change === 'begin') subscribe(channel.name, hear)
        if (change === 'end') unsubscribe(channel.name, hear)
      }
    },
    setMetrics(deliver) {
      const change = changeOf(metricsHook, deliver)
      metricsHook = deliver
      for (const [name, hear] of [
        [channels.cache.name, onCacheMetric],
        [KMS_REGION_CHANNEL, onKmsRegion],
      ] as const) {
        if (change === 'begin') subscribe(name, hear)
        if (change === 'end') unsubscribe(name, hear)
      }
    },
    log,
    metric,
  }
  return hooks
}

function changeOf(before: unknown, after: unknown): 'begin' | 'end' | 'none' {
  if ((before === undefined) === (after === undefined)) return 'none'
  return after === undefined ? 'end' : 'begin'
}

/** This environment's hooks. */
export const hooks: Hooks = createHooks()

function isWarning(message: unknown): message is WarningEvent {
  return hasText(message, 'code') && hasText(message, 'message')
}

function isKeyEvent(message: unknown): message is KeyEvent {
  return hasText(message, 'event') && hasText(message, 'keyId')
}

function isCacheEvent(message: unknown): message is CacheEvent {
  return hasText(message, 'cache') && hasText(message, 'event')
}

function isRegionEvent(
  message: unknown,
): message is { readonly operation: string; readonly region: string; readonly durationMs: number } {
  const isTimed = typeof Reflect.get(Object(message), 'durationMs') === 'number'
  return isTimed && hasText(message, 'operation') && hasText(message, 'region')
}

function hasText(message: unknown, name: string): boolean {
  return typeof message === 'object' && message !== null && typeof Reflect.get(message, name) === 'string'
}
