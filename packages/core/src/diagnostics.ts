import type { AsyncLocalStorage } from 'node:async_hooks'
import { channel, tracingChannel } from 'node:diagnostics_channel'

/** What the tracing channels of one call carry; `error` is set before `error` is published. Never key bytes or plaintext. */
export interface TraceContext {
  /** For `asherah:encrypt` and `asherah:decrypt`. */
  readonly partitionId?: string
  /** The key of the call. For `asherah:encrypt` and `asherah:decrypt` the intermediate key, known by the time the call has ended well. */
  keyId?: string
  /** The key's, in Unix seconds. */
  created?: number
  /** Bytes of plaintext, for `asherah:encrypt`. */
  readonly size?: number
  error?: unknown
}

/** On `asherah:cache`. */
export interface CacheEvent {
  readonly cache: 'sk' | 'ik' | 'session'
  readonly event: 'hit' | 'miss' | 'stale' | 'evict'
  /** A key id; for the session cache, the partition id. */
  readonly keyId: string
}

/** On `asherah:key`. */
export interface KeyEvent {
  readonly event: 'created' | 'rotated' | 'rotationQueued' | 'revoked' | 'expiredOnRead' | 'recovered' | 'healed'
  readonly keyId: string
  /** Unix seconds. */
  readonly created: number
  /** For `expiredOnRead`: the key's age in milliseconds. */
  readonly ageMs?: number
}

/** On `asherah:warning`. */
export interface WarningEvent {
  /** Stable, such as `ROTATION_FAILED`. */
  readonly code: string
  readonly message: string
  readonly cause?: unknown
}

/** A channel with the type of its messages. */
export interface EventChannel<T> {
  readonly name: string | symbol
  readonly hasSubscribers: boolean
  publish(message: T): void
}

/** One channel of a traced call. */
export interface TracePhase extends EventChannel<TraceContext> {
  /** What the call does runs in this store, with what `transform` makes of the context, or with the context itself. */
  bindStore<S>(store: AsyncLocalStorage<S>, transform?: (context: TraceContext) => S): void
  unbindStore<S>(store: AsyncLocalStorage<S>): boolean
  runStores<T>(context: TraceContext, call: () => T): T
}

/** Node's `TracingChannel`, whose declaration differs between releases of `@types/node`. */
export interface TraceChannel {
  readonly start: TracePhase
  readonly end: TracePhase
  readonly asyncStart: TracePhase
  readonly asyncEnd: TracePhase
  readonly error: TracePhase
  subscribe(listeners: TraceListeners): void
  unsubscribe(listeners: TraceListeners): void
}

/** What listens to each phase of a traced call. */
export type TraceListeners = Readonly<
  Record<'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error', (context: TraceContext) => void>
>

/** The tracing channels, by the name of the call that they trace. */
export interface TraceChannels {
  readonly encrypt: TraceChannel
  readonly decrypt: TraceChannel
  readonly metastoreLoad: TraceChannel
  readonly metastoreLoadLatest: TraceChannel
  readonly metastoreStore: TraceChannel
  readonly kmsEncryptKey: TraceChannel
  readonly kmsDecryptKey: TraceChannel
}

/**
 * What the library publishes on `node:diagnostics_channel`. It costs nothing while nobody subscribes.
 *
 * Subscribers run in the call's own tick: a slow one slows the call. One that throws fails no call: Node reports its error as
 * an uncaught exception, which ends the process unless the program handles those.
 *
 * Tracing channels: `asherah:encrypt`, `asherah:decrypt`, `asherah:metastore.load`, `.loadLatest`, `.store`,
 * `asherah:kms.encryptKey`, `.decryptKey`. Plain channels: `asherah:cache`, `asherah:key`, `asherah:warning`.
 */
export const channels: {
  readonly cache: EventChannel<CacheEvent>
  readonly key: EventChannel<KeyEvent>
  readonly warning: EventChannel<WarningEvent>
  readonly trace: TraceChannels
} = {
  cache: eventChannel<CacheEvent>('asherah:cache'),
  key: eventChannel<KeyEvent>('asherah:key'),
  warning: eventChannel<WarningEvent>('asherah:warning'),
  trace: {
    encrypt: traceChannel('asherah:encrypt'),
    decrypt: traceChannel('asherah:decrypt'),
    metastoreLoad: traceChannel('asherah:metastore.load'),
    metastoreLoadLatest: traceChannel('asherah:metastore.loadLatest'),
    metastoreStore: traceChannel('asherah:metastore.store'),
    kmsEncryptKey: traceChannel('asherah:kms.encryptKey'),
    kmsDecryptKey: traceChannel('asherah:kms.decryptKey'),
  },
}

function traceChannel(name: string): TraceChannel {
  return tracingChannel(name)
}

function eventChannel<T>(name: string): EventChannel<T> {
  return channel(name)
}

/** True when somebody listens to a traced call. */
export function isTraced(traced: TraceChannel): boolean {
  return (
    traced.start.hasSubscribers ||
    traced.end.hasSubscribers ||
    traced.asyncStart.hasSubscribers ||
    traced.asyncEnd.hasSubscribers ||
    traced.error.hasSubscribers
  )
}

/**
 * Runs a call and publishes its start, end, asyncStart, asyncEnd and error.
 *
 * Not `tracePromise`: that one puts the result on the context, and ours would be plaintext or key bytes.
 */
export function trace<T>(traced: TraceChannel, context: TraceContext, call: () => Promise<T>): Promise<T> {
  if (!isTraced(traced)) return call()
  const settle = (error?: { readonly reason: unknown }): void => {
    if (error !== undefined) {
      context.error = error.reason
      traced.error.publish(context)
    }
    traced.asyncStart.publish(context)
    traced.asyncEnd.publish(context)
  }
  return traced.start.runStores(context, () => {
    const promise = call()
    traced.end.publish(context)
    return promise.then(
      (value) => {
        settle()
        return value
      },
      (reason: unknown) => {
        settle({ reason })
        throw reason
      },
    )
  })
}

/** As {@link trace}, for a call that is done when it returns: start, end and error. */
export function traceNow<T>(traced: TraceChannel, context: TraceContext, call: () => T): T {
  if (!isTraced(traced)) return call()
  return traced.start.runStores(context, () => {
    try {
      return call()
    } catch (error) {
      context.error = error
      traced.error.publish(context)
      throw error
    } finally {
      traced.end.publish(context)
    }
  })
}
