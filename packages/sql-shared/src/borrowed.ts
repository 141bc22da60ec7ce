import { ClosedError, MetastoreError } from '@asherah/core/backend'
import { abortedError, throwIfAborted } from './errors.ts'
import type { ConnectionSource } from './pool.ts'

/** A pool that the caller made and ends. */
export interface BorrowedPool<C> {
  borrow(): Promise<C>
  giveBack(connection: C, broken: boolean): void
  /** Makes the session of a connection ready; called each time that one is borrowed. */
  prepare(connection: C): Promise<void>
}

/** Connections of a pool that the caller made: it is bounded by its own limits, and never ended here. */
export function borrowConnections<C>(
  name: string,
  pool: BorrowedPool<C>,
  acquireTimeoutMs: number,
): ConnectionSource<C> {
  let out = 0
  let closing: Promise<void> | undefined
  let allReturned = (): void => {}

  const returned = (): void => {
    out -= 1
    if (out === 0) allReturned()
  }
  return {
    async acquire(signal) {
      throwIfAborted(signal)
      if (closing !== undefined) throw new ClosedError(`the ${name} metastore is closed`)
      out += 1
      try {
        return await readyConnection(name, pool, acquireTimeoutMs, signal)
      } catch (error) {
        returned()
        throw error
      }
    },
    release(connection, broken) {
      try {
        pool.giveBack(connection, broken)
      } finally {
        returned()
      }
    },
    close() {
      closing ??= new Promise((resolve) => {
        allReturned = resolve
        if (out === 0) resolve()
      })
      return closing
    },
  }
}

/** A connection that comes too late, or after the signal was aborted, goes back; one that did not become ready is ended. */
function readyConnection<C>(
  name: string,
  pool: BorrowedPool<C>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<C> {
  return new Promise((resolve, reject) => {
    let over = false
    let preparing: { readonly connection: C } | undefined
    const settle = (end: () => void): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
      end()
    }
    const giveUp = (error: unknown): void =>
      settle(() => {
        if (preparing !== undefined) pool.giveBack(preparing.connection, true)
        reject(error)
      })
    const onAbort = (): void => {
      if (signal !== undefined) giveUp(abortedError(signal))
    }
    const timer = setTimeout(
      () => giveUp(new MetastoreError(`${name}: the pool gave no connection in ${timeoutMs} ms`)),
      timeoutMs,
    )
    signal?.addEventListener('abort', onAbort)
    pool.borrow().then((connection) => {
      if (over) return pool.giveBack(connection, false)
      preparing = { connection }
      return pool.prepare(connection).then(() => settle(() => resolve(connection)), giveUp)
    }, giveUp)
  })
}
