import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { EventChannel } from '../../src/backend.ts'
import { type CacheEvent, channels, type KeyEvent, type WarningEvent } from '../../src/index.ts'

/** What the channels published, until `stop`. */
export interface Recording {
  readonly key: KeyEvent[]
  readonly cache: CacheEvent[]
  /** But for `SESSION_NOT_CLOSED`, which sessions that earlier tests dropped publish whenever they are collected. */
  readonly warning: WarningEvent[]
  stop(): void
}

/** Listens to the three plain channels. Call `stop` in `afterEach` or `finally`. */
export function recordEvents(): Recording {
  const key = listen(channels.key, isKeyEvent)
  const cache = listen(channels.cache, isCacheEvent)
  const warning = listen(channels.warning, isOwnWarning)
  return {
    key: key.messages,
    cache: cache.messages,
    warning: warning.messages,
    stop() {
      key.stop()
      cache.stop()
      warning.stop()
    },
  }
}

function listen<T>(channel: EventChannel<T>, isMessage: (message: unknown) => message is T) {
  const messages: T[] = []
  const onMessage = (message: unknown): void => {
    if (isMessage(message)) messages.push(message)
  }
  subscribe(channel.name, onMessage)
  return { messages, stop: () => unsubscribe(channel.name, onMessage) }
}

const has = (message: unknown, ...names: string[]): boolean =>
  typeof message === 'object' && message !== null && names.every((name) => name in message)
const isKeyEvent = (message: unknown): message is KeyEvent => has(message, 'event', 'keyId', 'created')
const isCacheEvent = (message: unknown): message is CacheEvent => has(message, 'event', 'keyId', 'cache')
const isWarning = (message: unknown): message is WarningEvent => has(message, 'code', 'message')
const isOwnWarning = (message: unknown): message is WarningEvent =>
  isWarning(message) && message.code !== 'SESSION_NOT_CLOSED'
