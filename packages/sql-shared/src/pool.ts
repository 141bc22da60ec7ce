import { performance } from 'node:perf_hooks'
import { ClosedError, MetastoreError } from '@asherah/core/backend'
import { Pool as TarnPool, TimeoutError } from 'tarn'
import { abortedError, throwIfAborted } from './errors.ts'
import type { PoolLimits } from './options.ts'
import { inTime } from './settle.ts'

/** How a driver's connections are made and ended. */
export interface Connector<C> {
  /** Opens a connection and makes its session ready. It is closed if it comes when nobody waits for it any more. */
  open(): Promise<C>
  /**
   * Ends a connection; must not throw.
   *
   * @param broken It may not answer any more: no goodbye.
   */
  close(connection: C, broken: boolean): void
  /** False when the driver knows that the connection has ended. */
  isOpen(connection: C): boolean
  /** Rejects when the server does not answer on this connection. */
  ping(connection: C): Promise<unknown>
}

/** Where connections come from. */
export interface ConnectionSource<C> {
  /** @throws ClosedError after `close`; AbortedError; MetastoreError when none becomes free in time. */
  acquire(signal: AbortSignal | undefined): Promise<C>
  /** Gives a connection back; one that is `broken` is never used again. */
  release(connection: C, broken: boolean): void
  /** Ends what this source opened, after every connection has come back; idempotent. */
  close(): Promise<void>
}

/** A {@link ConnectionSource} that can be looked at. */
export interface Pool<C> extends ConnectionSource<C> {
  /** Open connections, used or idle, and those that are being opened: never more than `maxConnections`. */
  readonly size: number
  readonly idle: number
  readonly waiting: number
}

/** When a connection was opened, and since when it is idle. */
interface Age {
  readonly openedAt: number
  idleSince: number
  isPinged: boolean
}

/** The longest time that a timer takes: where tarn's own limit is not used. */
const NEVER_MS = 2 ** 31 - 1
/** tarn opens again this long after it could not, if calls still wait. */
const REOPEN_MS = 1
/** How long a connection that came back waits for the next call before tarn has it. */
const WARM_MS = 20

/**
 * A bounded pool, on `tarn`. Waiting calls are served in order; nothing is opened before the first `acquire`.
 *
 * @param name The database, for messages.
 * @param now A clock in milliseconds, for tests.
 */
export function createPool<C extends object>(
  name: string,
  connector: Connector<C>,
  limits: PoolLimits,
  now: () => number = () => performance.now(),
): Pool<C> {
  /** Every open connection: what is not in here, tarn throws away when it is asked for it. */
  const ages = new Map<C, Age>()
  const callers = new Set<(error: Error) => void>()
  let closing: Promise<void> | undefined

  const end = (connection: C, broken: boolean): void => {
    if (ages.delete(connection)) connector.close(connection, broken)
  }
  const isUsable = (connection: C, { openedAt }: Age): boolean =>
    connector.isOpen(connection) && now() - openedAt < limits.maxLifetimeMs
  const isFresh = ({ idleSince }: Age): boolean => now() - idleSince < limits.healthCheckAfterMs

  const tarn = new TarnPool<C>({
    min: limits.minIdleConnections,
    max: limits.maxConnections,
    acquireTimeoutMillis: limits.acquireTimeoutMs,
    // Its error says only that some operation timed out.
    createTimeoutMillis: NEVER_MS,
    createRetryIntervalMillis: REOPEN_MS,
    propagateCreateError: true,
    idleTimeoutMillis: limits.idleTimeoutMs,
    reapIntervalMillis: Math.ceil(Math.min(limits.idleTimeoutMs, limits.maxLifetimeMs) / 2),
    async create() {
      const connection = await inTime(connector.open(), limits.connectTimeoutMs, (late) => connector.close(late, false))
      ages.set(connection, { openedAt: now(), idleSince: now(), isPinged: false })
      return connection
    },
    // @ts-expect-error tarn waits for the promise, and its type does not say so
    async validate(connection) {
      const age = ages.get(connection)
      if (age === undefined || !isUsable(connection, age)) return false
      if (isFresh(age)) return true
      age.isPinged = true
      await inTime(connector.ping(connection), limits.connectTimeoutMs)
      age.isPinged = false
      return true
    },
    // tarn asks for this too when a ping fails, or when nobody waits for it any more.
    destroy: (connection) => end(connection, ages.get(connection)?.isPinged === true),
  })

  /**
   * Connections that came back a moment ago, and that tarn counts as used: while calls follow each other, they take these
   * without its promises and timers. There are none while a call waits.
   */
  const warm: C[] = []
  let cooling: NodeJS.Timeout | undefined
  const coolDown = (): void => {
    clearTimeout(cooling)
    cooling = undefined
    for (const connection of warm.splice(0)) tarn.release(connection)
  }
  const takeWarm = (): C | undefined => {
    for (let connection = warm.pop(); connection !== undefined; connection = warm.pop()) {
      const age = ages.get(connection)
      if (age !== undefined && isFresh(age) && isUsable(connection, age)) return connection
      // tarn tests it, or throws it away.
      tarn.release(connection)
    }
    return undefined
  }

  const release = (connection: C, broken: boolean): void => {
    const age = ages.get(connection)
    // tarn would keep it until someone asks.
    if (broken || age === undefined || !isUsable(connection, age)) end(connection, broken)
    else {
      age.idleSince = now()
      if (callers.size === 0 && closing === undefined) {
        warm.push(connection)
        cooling ??= setTimeout(coolDown, WARM_MS)
        return
      }
    }
    tarn.release(connection)
  }

  /**
   * tarn loses the connection of an acquire that is aborted within the promises that hand it over, so not before they
   * have run; and it lets the one that it is opening idle for ever unless a call takes it.
   */
  const abandon = (pending: ReturnType<typeof tarn.acquire>): void => {
    setImmediate(() => {
      if (tarn.numPendingCreates() === 0) pending.abort()
    })
  }
  const named = (error: unknown): unknown => {
    if (!(error instanceof TimeoutError)) return error
    const { acquireTimeoutMs, maxConnections } = limits
    const opening = tarn.numPendingCreates()
    const shown = opening === 0 ? '' : `; ${opening} are still being opened`
    const message = `${name}: none of ${maxConnections} connections became free in ${acquireTimeoutMs} ms${shown}`
    return new MetastoreError(message)
  }

  const shut = async (): Promise<void> => {
    coolDown()
    for (const leave of [...callers]) leave(closedError(name))
    await tarn.destroy()
    // A call that came in between may have started its timer again.
    tarn.check()
  }

  return {
    acquire(signal) {
      return new Promise((resolve, reject) => {
        throwIfAborted(signal)
        if (closing !== undefined) throw closedError(name)
        const connection = takeWarm()
        if (connection !== undefined) return resolve(connection)
        const pending = tarn.acquire()
        const leave = (error: Error): void => {
          if (!settle()) return
          reject(error)
          abandon(pending)
        }
        const onAbort = (): void => {
          if (signal !== undefined) leave(abortedError(signal))
        }
        /** False: the caller has gone. */
        const settle = (): boolean => {
          signal?.removeEventListener('abort', onAbort)
          return callers.delete(leave)
        }
        callers.add(leave)
        signal?.addEventListener('abort', onAbort)
        pending.promise.then(
          (connection) => (settle() ? resolve(connection) : release(connection, false)),
          (error: unknown) => settle() && reject(named(error)),
        )
      })
    },
    release,
    close() {
      closing ??= shut()
      return closing
    },
    get size() {
      return ages.size + tarn.numPendingCreates()
    },
    get idle() {
      return ages.size - tarn.numUsed() + warm.length
    },
    get waiting() {
      return callers.size
    },
  }
}

function closedError(name: string): ClosedError {
  return new ClosedError(`the ${name} metastore is closed`)
}
