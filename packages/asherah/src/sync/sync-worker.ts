import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { MetastoreError } from '@asherah/core'
import { hooks } from '../hooks.ts'
import { errorFrom } from './error-fields.ts'
import { type Answer, BEATS, ENDED, REPLIES, type Reply, type Request } from './messages.ts'

/** The worker of this JavaScript environment. */
export interface SyncWorker {
  /** Blocks this thread until the worker has answered. @throws what the worker threw. */
  call(request: Request): Answer
  /** Asks without blocking. */
  ask(request: Request): Promise<Answer>
}

/** A call that takes longer than this has failed: backends have shorter limits of their own. */
const CALL_LIMIT_MS = 300_000
const START_LIMIT_MS = 60_000
/** A worker that gives no sign of life for this long has ended, without a word: out of memory, or terminated. */
const SILENCE_LIMIT_MS = 15_000
const HAS_ENDED = 'the worker of synchronous calls has ended'

let current: SyncWorker | undefined

/** Starts the worker when it is first needed. It keeps no process alive, and serves every client until the process ends. */
export function syncWorker(): SyncWorker {
  current ??= startWorker()
  return current
}

/** The worker, if something was asked of it. */
export function startedSyncWorker(): SyncWorker | undefined {
  return current
}

interface Waiting {
  resolve(answer: Answer): void
  reject(error: unknown): void
}

function startWorker(): SyncWorker {
  const { port1, port2 } = new MessageChannel()
  const shared = new SharedArrayBuffer(8)
  const count = new Int32Array(shared)
  const isSource = import.meta.url.endsWith('.ts')
  // A program given by `node --input-type=module -e …` would hand that flag on, which no file can be started with.
  const hasInputType = process.execArgv.some((flag) => flag.startsWith('--input-type'))
  const worker = new Worker(new URL(isSource ? './worker.ts' : './sync/worker.js', import.meta.url), {
    workerData: { port: port2, shared },
    transferList: [port2],
    // From its sources it needs the condition that leads to the other packages' sources.
    ...(hasInputType && { execArgv: [] }),
    ...(isSource && { execArgv: ['--conditions=asherah-source', '--disable-warning=ExperimentalWarning'] }),
  })
  worker.unref()
  let nextId = 1
  const waiting = new Map<number, Waiting>()
  let failure: Error | undefined

  const fail = (cause: unknown): void => {
    if (failure !== undefined) return
    failure = new MetastoreError(HAS_ENDED, { cause })
    if (current === self) current = undefined
    for (const { reject } of waiting.values()) reject(failure)
    waiting.clear()
    port1.close()
  }
  worker.on('error', fail)
  worker.on('exit', () => fail(undefined))

  const settle = (reply: Reply): void => {
    if ('log' in reply) hooks.log(reply.log)
    if ('metric' in reply) hooks.metric(reply.metric)
    if (!('ok' in reply)) return
    const waiter = waiting.get(reply.id)
    waiting.delete(reply.id)
    if (waiting.size === 0) port1.unref()
    if (reply.ok) waiter?.resolve(reply.answer)
    else waiter?.reject(errorFrom(reply.error))
  }
  port1.on('message', settle)
  port1.unref()

  const send = (request: Request): number => {
    if (failure !== undefined) throw failure
    const id = nextId++
    port1.postMessage({ id, request })
    return id
  }
  const replyTo = (id: number): Extract<Reply, { ok: boolean }> => {
    try {
      return waitFor(port1, count, id, settle)
    } catch (error) {
      // It must not write into memory that this thread is about to wipe.
      void worker.terminate()
      fail(error)
      throw error
    }
  }
  const self: SyncWorker = {
    call(request) {
      const id = send(request)
      const reply = replyTo(id)
      if (reply.ok) return reply.answer
      throw errorFrom(reply.error)
    },
    ask(request) {
      return new Promise((resolve, reject) => {
        waiting.set(send(request), { resolve, reject })
        port1.ref()
      })
    },
  }
  return self
}

/** Reads replies until the one that is waited for comes; the others are settled as they come. */
function waitFor(
  port: MessagePort,
  count: Int32Array<SharedArrayBuffer>,
  id: number,
  settle: (reply: Reply) => void,
): Extract<Reply, { ok: boolean }> {
  const start = performance.now()
  let beats = Atomics.load(count, BEATS)
  let heardAt = start
  for (;;) {
    const seen = Atomics.load(count, REPLIES)
    const beatsNow = Atomics.load(count, BEATS)
    for (;;) {
      const received: { readonly message: Reply } | undefined = receiveMessageOnPort(port)
      if (received === undefined) break
      const { message } = received
      if ('ok' in message && message.id === id) return message
      settle(message)
    }
    const now = performance.now()
    if (beatsNow !== beats || seen === 0) heardAt = now
    beats = beatsNow
    if (beats === ENDED || now - heardAt > SILENCE_LIMIT_MS) throw new MetastoreError(HAS_ENDED)
    // It counts its start too: one that never starts is not waited for that long.
    const limit = seen === 0 ? START_LIMIT_MS : CALL_LIMIT_MS
    if (now - start > limit) {
      throw new MetastoreError(`a synchronous call was not answered within ${limit} ms`)
    }
    Atomics.wait(count, REPLIES, seen, 1_000)
  }
}
