import { performance } from 'node:perf_hooks'
import { ClosedError, MetastoreError } from '@asherah/core/backend'
import { abortedError, throwIfAborted } from './errors.ts'
import type { PoolLimits } from './options.ts'
import { inTime, unlessAborted } from './settle.ts'

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
  /**
   * A connection that can be used at once, where there is one: the usual case, without a turn of promises.
   *
   * @throws as `acquire`.
   */
  acquireNow(signal: AbortSignal | undefined): C | undefined
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

/** What a waiting call gets: a connection, or a place in the pool that it must fill or give back. */
type Turn<C> = Idle<C> | 'place'

interface Idle<C> {
  readonly connection: C
  /** When it was last used. */
  readonly since: number
}

interface Waiter<C> {
  take(turn: Turn<C>): void
  fail(error: Error): void
}

/**
 * A bounded pool. Waiting calls are served in order; nothing is opened before the first `acquire`.
 *
 * @param name The database, for messages.
 * @param now A clock in milliseconds, for tests.
 */
export function createPool<C>(
  name: string,
  connector: Connector<C>,
  limits: PoolLimits,
  now: () => number = () => performance.now(),
): Pool<C> {
  const openedAt = new Map<C, number>()
  /** The last one is the warmest. */
  const idle: Idle<C>[] = []
  const waiters: Waiter<C>[] = []
  let places = 0
  let sweeper: NodeJS.Timeout | undefined
  let closing: Promise<void> | undefined
  let allGone = (): void => {}

  const size = (): number => openedAt.size + places
  const isUsable = (c: C): boolean => connector.isOpen(c) && now() - (openedAt.get(c) ?? 0) < limits.maxLifetimeMs

  /** Makes the connection a place. */
  const discard = (connection: C, broken: boolean): void => {
    openedAt.delete(connection)
    places += 1
    connector.close(connection, broken)
  }
  const leavePlace = (): void => {
    const waiter = waiters.shift()
    if (waiter === undefined) places -= 1
    else waiter.take('place')
    if (size() === 0) allGone()
  }
  const fillPlace = async (): Promise<C> => {
    try {
      const opening = connector.open()
      const connection = await inTime(opening, limits.connectTimeoutMs, (late) => connector.close(late, false))
      places -= 1
      openedAt.set(connection, now())
      return connection
    } catch (error) {
      leavePlace()
      throw error
    }
  }

  const wait = (signal: AbortSignal | undefined): Promise<Turn<C>> =>
    new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        const at = waiters.indexOf(waiter)
        if (at >= 0) waiters.splice(at, 1)
        settle()
      }
      const waiter: Waiter<C> = {
        take: (turn) => done(() => resolve(turn)),
        fail: (error) => done(() => reject(error)),
      }
      const timer = setTimeout(() => {
        const message = `${name}: none of ${limits.maxConnections} connections became free in ${limits.acquireTimeoutMs} ms`
        waiter.fail(new MetastoreError(message))
      }, limits.acquireTimeoutMs)
      const onAbort = (): void => {
        if (signal !== undefined) waiter.fail(abortedError(signal))
      }
      signal?.addEventListener('abort', onAbort)
      waiters.push(waiter)
    })

  /** Undefined: every connection is in use. */
  const turnNow = (): Turn<C> | undefined => {
    const last = idle.pop()
    if (last !== undefined) return last
    if (size() >= limits.maxConnections) return undefined
    places += 1
    return 'place'
  }

  const checkCall = (signal: AbortSignal | undefined): void => {
    throwIfAborted(signal)
    if (closing !== undefined) throw new ClosedError(`the ${name} metastore is closed`)
  }
  const isReady = ({ connection, since }: Idle<C>): boolean =>
    isUsable(connection) && now() - since < limits.healthCheckAfterMs

  const acquireNow = (signal: AbortSignal | undefined): C | undefined => {
    checkCall(signal)
    const last = idle.at(-1)
    if (last === undefined || !isReady(last)) return undefined
    idle.pop()
    return last.connection
  }
  const acquire = async (signal: AbortSignal | undefined): Promise<C> => {
    checkCall(signal)
    startSweeper()
    const turn = turnNow() ?? (await wait(signal))
    if (turn !== 'place' && isReady(turn)) return turn.connection
    return unlessAborted(turn === 'place' ? fillPlace() : testedOrNew(turn.connection), signal, (late) =>
      release(late, false),
    )
  }
  const testedOrNew = async (connection: C): Promise<C> => {
    const isOpen = isUsable(connection)
    if (isOpen && (await answers(connection))) return connection
    discard(connection, isOpen)
    return fillPlace()
  }
  const answers = (connection: C): Promise<boolean> =>
    inTime(connector.ping(connection), limits.connectTimeoutMs).then(
      () => true,
      () => false,
    )

  const release = (connection: C, broken: boolean): void => {
    if (broken || closing !== undefined || !isUsable(connection)) {
      discard(connection, broken)
      leavePlace()
      return
    }
    const turn = { connection, since: now() }
    const waiter = waiters.shift()
    if (waiter === undefined) idle.push(turn)
    else waiter.take(turn)
  }

  /** Closes what is too old or idle for too long, and keeps `minIdleConnections` ready. */
  const sweep = (): void => {
    const kept = idle.filter(({ connection, since }, i) => {
      const spare = idle.length - i > limits.minIdleConnections && now() - since >= limits.idleTimeoutMs
      if (isUsable(connection) && !spare) return true
      discard(connection, false)
      places -= 1
      return false
    })
    idle.splice(0, idle.length, ...kept)
    for (
      let ready = idle.length + places;
      ready < limits.minIdleConnections && size() < limits.maxConnections;
      ready++
    ) {
      places += 1
      // A failure shows at the next call, which opens its own.
      fillPlace().then(
        (connection) => release(connection, false),
        () => {},
      )
    }
    if (size() === 0) stopSweeper()
  }
  const startSweeper = (): void => {
    if (sweeper !== undefined) return
    sweeper = setInterval(sweep, Math.ceil(Math.min(limits.idleTimeoutMs, limits.maxLifetimeMs) / 2)).unref()
    if (limits.minIdleConnections > 0) setImmediate(() => closing === undefined && sweep())
  }
  const stopSweeper = (): void => {
    clearInterval(sweeper)
    sweeper = undefined
  }

  return {
    acquireNow,
    acquire,
    release,
    close() {
      closing ??= new Promise((resolve) => {
        allGone = resolve
        stopSweeper()
        for (const waiter of [...waiters]) waiter.fail(new ClosedError(`the ${name} metastore is closed`))
        for (const { connection } of idle.splice(0)) {
          discard(connection, false)
          places -= 1
        }
        if (size() === 0) allGone()
      })
      return closing
    },
    get size() {
      return size()
    },
    get idle() {
      return idle.length
    },
    get waiting() {
      return waiters.length
    },
  }
}
