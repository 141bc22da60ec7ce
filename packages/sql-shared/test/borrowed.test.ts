import { type BorrowedPool, borrowConnections } from '@asherah/sql-shared'
import { expect, test } from 'vitest'
import { createRun } from '../src/run.ts'

/** What happened to the one connection of a pool. */
function poolOf(overrides: Partial<BorrowedPool<string>> = {}) {
  const events: string[] = []
  const pool: BorrowedPool<string> = {
    async borrow() {
      events.push('borrowed')
      return 'connection'
    },
    giveBack: (_, broken) => void events.push(broken ? 'ended' : 'returned'),
    prepare: async () => void events.push('prepared'),
    ...overrides,
  }
  return { events, source: borrowConnections('Fake', pool, 20) }
}

const never = (): Promise<never> => new Promise(() => {})

test('a connection is prepared, used and returned; close waits for it', async () => {
  const { events, source } = poolOf()
  const connection = await source.acquire(undefined)
  let closed = false
  const closing = source.close().then(() => {
    closed = true
  })
  await expect(source.acquire(undefined)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  expect(closed).toBe(false)
  source.release(connection, false)
  await closing
  expect(events).toEqual(['borrowed', 'prepared', 'returned'])
})

test('a pool that fails to take a connection back fails the call, once, and close does not wait for it', async () => {
  let returns = 0
  const { source } = poolOf({
    giveBack() {
      returns += 1
      throw new Error('already released')
    },
  })
  const limits = { queryTimeoutMs: 1_000, retryTimeoutMs: 1_000 }
  const run = createRun(source, { ...limits, survives: () => true, isTransient: () => false, hintOf: () => undefined })
  await expect(run('Fake load', undefined, async () => 'answer')).rejects.toThrow('Fake load: already released')
  expect(returns).toBe(1)
  await source.close()
})

test('a connection whose session does not become ready, or fails to, is ended', async () => {
  const hanging = poolOf({ prepare: never })
  await expect(hanging.source.acquire(undefined)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  const failing = poolOf({ prepare: () => Promise.reject(new Error('no such variable')) })
  await expect(failing.source.acquire(undefined)).rejects.toThrow('no such variable')
  for (const { events, source } of [hanging, failing]) {
    expect(events).toEqual(['borrowed', 'ended'])
    await source.close()
  }
})

test('a connection that comes after the time, or after the abort, goes back', async () => {
  const controller = new AbortController()
  for (const signal of [undefined, controller.signal]) {
    let give = (_: string): void => {}
    const { events, source } = poolOf({ borrow: () => new Promise((resolve) => (give = resolve)) })
    const acquiring = source.acquire(signal)
    if (signal !== undefined) controller.abort(new Error('the caller has gone'))
    const code = signal === undefined ? 'ERR_ASHERAH_METASTORE' : 'ERR_ASHERAH_ABORTED'
    await expect(acquiring).rejects.toMatchObject({ code })
    give('connection')
    await expect.poll(() => events).toEqual(['returned'])
    await source.close()
  }
})
