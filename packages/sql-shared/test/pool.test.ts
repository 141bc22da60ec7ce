import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { createPool } from '@asherah/sql-shared'
import { expect, test } from 'vitest'
import { fakeConnector, LIMITS } from './fakes.ts'

function poolOf(limits: Partial<typeof LIMITS> = {}) {
  const clock = { now: 0 }
  const connector = fakeConnector()
  return { clock, connector, pool: createPool('Fake', connector, { ...LIMITS, ...limits }, () => clock.now) }
}

test('a connection that comes back is used again, and nothing is opened ahead of need', async () => {
  const { pool, connector } = poolOf()
  expect(pool.size).toBe(0)
  for (let i = 0; i < 5; i++) pool.release(await pool.acquire(undefined), false)
  expect(connector.opened).toHaveLength(1)
  await pool.close()
  expect(connector.closed.size).toBe(1)
})

test('D-065 a connection that is older than maxLifetimeMs is not used again', async () => {
  const { pool, connector, clock } = poolOf({ maxLifetimeMs: 1_000 })
  pool.release(await pool.acquire(undefined), false)
  clock.now = 999
  const young = await pool.acquire(undefined)
  expect(young.number).toBe(1)
  clock.now = 1_000
  pool.release(young, false)
  expect(connector.closed.has(young)).toBe(true)
  expect((await pool.acquire(undefined)).number).toBe(2)
})

test('D-065 a connection that was idle for healthCheckAfterMs is tested, and replaced when it does not answer', async () => {
  const { pool, connector, clock } = poolOf()
  const first = await pool.acquire(undefined)
  pool.release(first, false)
  first.answers = false
  clock.now = 29_999
  expect(await pool.acquire(undefined)).toBe(first)
  pool.release(first, false)
  clock.now = 60_000
  expect((await pool.acquire(undefined)).number).toBe(2)
  expect(connector.closed.has(first)).toBe(true)
  expect(pool.size).toBe(1)
})

test('a connection that ended while it was idle is replaced', async () => {
  const { pool, connector } = poolOf()
  const first = await pool.acquire(undefined)
  pool.release(first, false)
  first.open = false
  expect((await pool.acquire(undefined)).number).toBe(2)
  expect(connector.closed.has(first)).toBe(true)
})

test('D-065 idle connections are closed after idleTimeoutMs, but for minIdleConnections', async () => {
  const { pool, connector } = poolOf({ idleTimeoutMs: 20, minIdleConnections: 2 })
  const all = [await pool.acquire(undefined), await pool.acquire(undefined), await pool.acquire(undefined)]
  for (const connection of all) pool.release(connection, false)
  expect(pool.idle).toBe(3)
  await expect.poll(() => pool.idle).toBe(2)
  await new Promise((resolve) => setTimeout(resolve, 60))
  expect(connector.closed.size).toBe(1)
  await pool.close()
  expect(pool.size).toBe(0)
  expect(connector.closed.size).toBe(3)
})

test('a connection that was opened for a call that has gone is closed after idleTimeoutMs too', async () => {
  const { pool, connector } = poolOf({ idleTimeoutMs: 20 })
  const { open } = connector
  connector.open = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    return open.call(connector)
  }
  const controller = new AbortController()
  const opening = expect(pool.acquire(controller.signal)).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED' })
  controller.abort()
  await opening
  await expect.poll(() => connector.closed.size).toBe(1)
  expect(pool.size).toBe(0)
})

test('D-064 an abort at any moment of the hand-over loses no connection', async () => {
  for (let ticks = 0; ticks < 30; ticks++) {
    const { pool } = poolOf({ maxConnections: 1, acquireTimeoutMs: 200 })
    const first = await pool.acquire(undefined)
    const controller = new AbortController()
    const second = pool.acquire(controller.signal).then(
      (connection) => pool.release(connection, false),
      () => {},
    )
    pool.release(first, false)
    for (let tick = 0; tick < ticks; tick++) await undefined
    controller.abort()
    await second
    pool.release(await pool.acquire(undefined), false)
    expect(pool.size).toBe(1)
  }
})

test('D-064 1,000 calls at once on two connections, a third of them aborted: all end, in their order', async () => {
  const { pool, connector } = poolOf({ maxConnections: 2 })
  const served: number[] = []
  const outcomes = await Promise.all(
    Array.from({ length: 1_000 }, async (_, i) => {
      const controller = new AbortController()
      if (i % 3 === 0) setImmediate(() => controller.abort())
      try {
        const connection = await pool.acquire(controller.signal)
        served.push(i)
        await new Promise((resolve) => setImmediate(resolve))
        pool.release(connection, false)
        return 'served'
      } catch {
        return 'aborted'
      }
    }),
  )
  expect(outcomes.filter((outcome) => outcome === 'served').length).toBeGreaterThanOrEqual(666)
  expect(served).toEqual(served.toSorted((a, b) => a - b))
  expect(connector.opened).toHaveLength(2)
  expect(pool.waiting).toBe(0)
})

test('an abort while a connection is tested ends it at once: it may not answer a goodbye', async () => {
  const { pool, connector, clock } = poolOf()
  const first = await pool.acquire(undefined)
  pool.release(first, false)
  connector.ping = () => new Promise(() => {})
  clock.now = 60_000
  const controller = new AbortController()
  const testing = expect(pool.acquire(controller.signal)).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED' })
  controller.abort()
  await testing
  await expect.poll(() => connector.broken.has(first)).toBe(true)
  await pool.close()
})

test('D-064 waiters are served in order, and never more than maxConnections are open', async () => {
  const { pool, connector } = poolOf({ maxConnections: 1 })
  const first = await pool.acquire(undefined)
  const order: number[] = []
  const waiters = [1, 2, 3].map(async (number) => {
    const connection = await pool.acquire(undefined)
    order.push(number)
    pool.release(connection, number === 2)
  })
  expect(pool.waiting).toBe(3)
  pool.release(first, false)
  await Promise.all(waiters)
  expect(order).toEqual([1, 2, 3])
  expect(connector.opened).toHaveLength(2)
  expect(pool.size).toBe(1)
})

test('D-064 connections that break at random: the count is exact, and every waiter ends', async () => {
  const { pool, connector } = poolOf({ maxConnections: 3 })
  let most = 0
  const uses = Array.from({ length: 200 }, async (_, i) => {
    const connection = await pool.acquire(undefined)
    most = Math.max(most, connector.opened.length - connector.closed.size)
    expect(pool.size).toBeGreaterThan(0)
    await new Promise((resolve) => setImmediate(resolve))
    if (i % 3 === 0) connection.open = false
    pool.release(connection, i % 5 === 0)
  })
  await Promise.all(uses)
  expect(most).toBe(3)
  expect(pool.waiting).toBe(0)
  expect(pool.size).toBe(connector.opened.length - connector.closed.size)
  expect(pool.size).toBe(pool.idle)
})

test('D-064 a connection that cannot be opened leaves its place to the next waiter', async () => {
  const { pool, connector } = poolOf({ maxConnections: 1 })
  connector.failOpen = new Error('no route')
  const calls = await Promise.allSettled([1, 2, 3].map(() => pool.acquire(undefined)))
  expect(calls.map((call) => call.status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(pool.size).toBe(0)
  connector.failOpen = undefined
  expect((await pool.acquire(undefined)).number).toBe(1)
})

test('D-064 close waits for what is in use, fails who waits, and refuses who comes', async () => {
  const { pool, connector } = poolOf({ maxConnections: 1 })
  const used = await pool.acquire(undefined)
  const waiting = expect(pool.acquire(undefined)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  let closed = false
  const closing = pool.close().then(() => {
    closed = true
  })
  await waiting
  await expect(pool.acquire(undefined)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  expect(closed).toBe(false)
  pool.release(used, false)
  await closing
  expect(connector.closed.has(used)).toBe(true)
  await pool.close()
})

test('the wait for a connection ends with acquireTimeoutMs, and with the signal', async () => {
  const { pool } = poolOf({ maxConnections: 1, acquireTimeoutMs: 20 })
  await pool.acquire(undefined)
  await expect(pool.acquire(undefined)).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  const controller = new AbortController()
  const waiting = expect(pool.acquire(controller.signal)).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED' })
  controller.abort(new Error('the caller has gone'))
  await waiting
  expect(pool.waiting).toBe(0)
})

test('a wait that ends while the server does not answer says so', async () => {
  const { pool, connector } = poolOf({ acquireTimeoutMs: 20, connectTimeoutMs: 100 })
  connector.open = () => new Promise(() => {})
  await expect(pool.acquire(undefined)).rejects.toThrow('in 20 ms; 1 are still being opened')
  await pool.close()
})

test('a connection that opens after connectTimeoutMs is closed, and its place is free', async () => {
  const { pool, connector } = poolOf({ maxConnections: 1, connectTimeoutMs: 10 })
  const { open } = connector
  connector.open = async () => {
    await new Promise((resolve) => setTimeout(resolve, 40))
    return open.call(connector)
  }
  await expect(pool.acquire(undefined)).rejects.toThrow('no answer in 10 ms (connectTimeoutMs)')
  expect(pool.size).toBe(0)
  await expect.poll(() => connector.closed.size).toBe(1)
})

test('an abort ends the wait for a connection that is being opened, and the pool keeps that one', async () => {
  const { pool, connector } = poolOf({ maxConnections: 1 })
  const { open } = connector
  let letOpen = (): void => {}
  connector.open = async () => {
    await new Promise<void>((resolve) => (letOpen = resolve))
    return open.call(connector)
  }
  const controller = new AbortController()
  const opening = expect(pool.acquire(controller.signal)).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED' })
  controller.abort(new Error('the caller has gone'))
  await opening
  letOpen()
  await expect.poll(() => pool.idle).toBe(1)
  expect((await pool.acquire(undefined)).number).toBe(1)
})

test('a connection that came back is the next call’s at once, and is idle, tested and closed as every other', async () => {
  const { pool, connector, clock } = poolOf({ maxConnections: 2 })
  const [first, second] = [await pool.acquire(undefined), await pool.acquire(undefined)]
  pool.release(first, false)
  pool.release(second, false)
  expect(pool.idle).toBe(2)
  expect(await pool.acquire(undefined)).toBe(second)
  second.open = false
  pool.release(second, false)
  first.open = false
  const third = await pool.acquire(undefined)
  expect(third.number).toBe(3)
  pool.release(third, false)
  clock.now = 60_000
  let pings = 0
  connector.ping = async () => (pings += 1)
  expect(await pool.acquire(undefined)).toBe(third)
  expect(pings).toBe(1)
  pool.release(third, false)
  await pool.close()
  expect(connector.closed.size).toBe(3)
})

test('close fails who waits for a connection that is being opened or tested, and ends that one', async () => {
  const { pool, connector, clock } = poolOf({ maxConnections: 2 })
  pool.release(await pool.acquire(undefined), false)
  connector.ping = () => new Promise(() => {})
  clock.now = 60_000
  const { open } = connector
  let letOpen = (): void => {}
  connector.open = async () => {
    await new Promise<void>((resolve) => (letOpen = resolve))
    return open.call(connector)
  }
  const waiting = [1, 2, 3].map(() =>
    expect(pool.acquire(undefined)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' }),
  )
  const closing = pool.close()
  await Promise.all(waiting)
  letOpen()
  await closing
  expect(connector.opened).toHaveLength(2)
  expect(connector.closed.size).toBe(2)
  expect(pool.size).toBe(0)
})

test('close leaves no timer behind, even when a call came in between', async () => {
  const script = `
    import { createPool } from '@asherah/sql-shared'
    const connector = { open: async () => ({}), close() {}, isOpen: () => true, ping: async () => {} }
    const limits = ${JSON.stringify(LIMITS)}
    const pool = createPool('Fake', connector, limits)
    pool.release(await pool.acquire(undefined), false)
    const late = [1, 2].map(() => pool.acquire(undefined).then((c) => pool.release(c, false), () => {}))
    await pool.close()
    await Promise.all(late)
    await new Promise((resolve) => setImmediate(resolve))
    console.log(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length)
  `
  const options = ['--conditions=asherah-source', '--input-type=module', '--eval', script]
  const { stdout } = await promisify(execFile)(process.execPath, options, { cwd: import.meta.dirname })
  expect(stdout).toBe('0\n')
})
