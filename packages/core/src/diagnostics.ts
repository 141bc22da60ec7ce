import { channel, type TracingChannel, tracingChannel } from 'node:diagnostics_channel'

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

/** The tracing channels, by the name of the call that they trace. */
export interface TraceChannels {
  readonly encrypt: TracingChannel<unknown, TraceContext>
  readonly decrypt: TracingChannel<unknown, TraceContext>
  readonly metastoreLoad: TracingChannel<unknown, TraceContext>
  readonly metastoreLoadLatest: TracingChannel<unknown, TraceContext>
  readonly metastoreStore: TracingChannel<unknown, TraceContext>
  readonly kmsEncryptKey: TracingChannel<unknown, TraceContext>
  readonly kmsDecryptKey: TracingChannel<unknown, TraceContext>
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
    encrypt: tracingChannel('asherah:encrypt'),
    decrypt: tracingChannel('asherah:decrypt'),
    metastoreLoad: tracingChannel('asherah:metastore.load'),
    metastoreLoadLatest: tracingChannel('asherah:metastore.loadLatest'),
    metastoreStore: tracingChannel('asherah:metastore.store'),
    kmsEncryptKey: tracingChannel('asherah:kms.encryptKey'),
    kmsDecryptKey: tracingChannel('asherah:kms.decryptKey'),
  },
}

function eventChannel<T>(name: string): EventChannel<T> {
  return channel(name)
}

/** True when somebody listens to a traced call. */
export function isTraced(traced: TracingChannel<unknown, TraceContext>): boolean {
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
export function trace<T>(
  traced: TracingChannel<unknown, TraceContext>,
  context: TraceContext,
  call: () => Promise<T>,
): Promise<T> {
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
export function traceNow<T>(traced: TracingChannel<unknown, TraceContext>, context: TraceContext, call: () => T): T {
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
