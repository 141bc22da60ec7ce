import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { bundle } from './child/run.ts'
import { bytesOf, createPeer, createWorld, recordEvents, textOf } from './fakes.ts'

/** The next message of a worker, of those that came and those that will. */
function inbox(worker: Worker): () => Promise<unknown> {
  const came: unknown[] = []
  const waiting: ((message: unknown) => void)[] = []
  worker.on('message', (message) => {
    const waiter = waiting.shift()
    if (waiter === undefined) came.push(message)
    else waiter(message)
  })
  return () => (came.length > 0 ? Promise.resolve(came.shift()) : new Promise((resolve) => waiting.push(resolve)))
}

describe('D-114 worker threads', () => {
  it('each has a factory of its own; one that is terminated in the middle of a call stops no other', async () => {
    const script = bundle('worker.ts')
    const start = (name: string) => {
      const worker = new Worker(script, { eval: true, workerData: name })
      const failed = once(worker, 'error').then(([error]) => Promise.reject(error))
      // Listened for from the start: what happens before somebody waits for it must not be lost.
      return { worker, message: inbox(worker), exit: once(worker, 'exit'), failed }
    }
    const events = recordEvents()
    const mine = createWorld()
    const session = mine.factory.getSession('p')
    const record = await session.encrypt(bytesOf('x'))
    const { length } = events.key

    const hanging = start('hangs')
    const running = [start('1'), start('2'), start('3')]
    const failed = Promise.race([hanging, ...running].map((one) => one.failed))
    failed.catch(() => {})
    const next = ({ message }: (typeof running)[number]): Promise<unknown> => Promise.race([message(), failed])
    expect(await next(hanging)).toBe('started')
    for (const one of running) {
      expect(await next(one)).toBe('started')
      expect(await next(one)).toBe('running')
    }

    const [victim, ...survivors] = running
    if (victim === undefined) throw new Error('there is no worker')
    await Promise.all([victim.worker.terminate(), hanging.worker.terminate()])

    const results: unknown[] = []
    for (const one of survivors) {
      one.worker.postMessage('stop')
      results.push(await next(one))
      await one.exit
    }
    expect(results).toMatchObject([{ created: ['_SK_s_p2', '_IK_p_s_p2'] }, { created: ['_SK_s_p3', '_IK_p_s_p3'] }])
    // No two threads drew the same random bytes.
    const rows = results.flatMap((result) => (isResult(result) ? result.rows : []))
    expect(rows).toHaveLength(100)
    expect(new Set(rows).size).toBe(100)

    // The main thread heard nothing of the workers, and goes on.
    expect(textOf(await session.decrypt(record))).toBe('x')
    await mine.factory.getSession('q').encrypt(bytesOf('x'))
    events.stop()
    expect(events.key).toHaveLength(length + 1)
  })

  it('a record can be posted to another thread and decrypted there', async () => {
    const world = createWorld()
    const record = await world.factory.getSession('p').encrypt(bytesOf('x'))
    const { port1, port2 } = new MessageChannel()
    const received = once(port2, 'message')
    port1.postMessage(record)
    const session = createPeer(world).factory.getSession('p')
    const [posted] = await received
    const again: unknown = await Reflect.apply(session.decrypt, session, [posted])
    expect(again).toEqual(bytesOf('x'))
    port1.close()
    port2.close()
  })
})

function isResult(value: unknown): value is { rows: string[] } {
  return typeof value === 'object' && value !== null && 'rows' in value && Array.isArray(value.rows)
}
