import { type MessagePort, workerData } from 'node:worker_threads'
import { readConfigObject } from '@asherah/config'
import { ClosedError } from '@asherah/core'
import { createEngine, type Engine } from '../engine.ts'
import { hooks, type LogEvent } from '../hooks.ts'
import { errorFields } from './error-fields.ts'
import type { Answer, Envelope, Reply, Request } from './messages.ts'

// Does what a synchronous call cannot: it waits for metastores and KMS, while the thread that asked is blocked. One worker
// serves every client of its JavaScript environment. Keys never leave it; payloads cross in shared memory, which is wiped.

const { port, replies } = startOf(workerData)
const count = new Int32Array(replies)
const engines = new Map<number, Promise<Engine>>()

function send(reply: Reply): void {
  port.postMessage(reply)
  Atomics.add(count, 0, 1)
  Atomics.notify(count, 0)
}

function tellLog(log: LogEvent): void {
  send({ log })
}

async function open(request: Extract<Request, { op: 'open' }>): Promise<void> {
  if (engines.has(request.engine)) return
  // The thread that asked makes an engine too, and tells the warnings of that itself.
  hooks.setLog(undefined)
  // The environment was read by the thread that asked: its settings are complete.
  const opening = createEngine(readConfigObject(request.config, {}), { load: (name) => import(name) })
  engines.set(request.engine, opening)
  try {
    await opening
  } catch (error) {
    engines.delete(request.engine)
    throw error
  } finally {
    hooks.setLog(tellLog)
  }
}

async function engineOf(id: number): Promise<Engine> {
  const engine = engines.get(id)
  if (engine === undefined) throw new ClosedError('the session factory is closed')
  return engine
}

async function answer(request: Request): Promise<Answer> {
  switch (request.op) {
    case 'open':
      await open(request)
      return true
    case 'close': {
      const engine = engines.get(request.engine)
      engines.delete(request.engine)
      await (await engine)?.close()
      return true
    }
    case 'adopt': {
      const { metastore } = await engineOf(request.engine)
      for (const row of request.rows) await metastore.store(row.keyId, row.created, row)
      return true
    }
    case 'encrypt': {
      const input = new Uint8Array(request.input, 0, request.length)
      try {
        return await (await engineOf(request.engine)).encrypt(request.partitionId, input)
      } finally {
        input.fill(0)
      }
    }
    case 'decrypt': {
      const plaintext = await (await engineOf(request.engine)).decrypt(request.partitionId, request.record)
      new Uint8Array(request.output).set(plaintext)
      plaintext.fill(0)
      return plaintext.byteLength
    }
    case 'load':
      return (await engineOf(request.engine)).metastore.load(request.keyId, request.created)
    case 'loadLatest': {
      const { keyId, notAfter } = request
      return (await engineOf(request.engine)).metastore.loadLatest(keyId, notAfter === undefined ? {} : { notAfter })
    }
    case 'store': {
      const { record } = request
      return (await engineOf(request.engine)).metastore.store(record.keyId, record.created, record)
    }
  }
}

// The thread that asked chooses which of these its own hooks get.
hooks.setLog(tellLog)
hooks.setMetrics((metric) => send({ metric }))
port.on('message', ({ id, request }: Envelope) => {
  answer(request).then(
    (result) => send({ id, ok: true, answer: result }),
    (error: unknown) => send({ id, ok: false, error: errorFields(error) }),
  )
})
// A blocked thread must not wait for a worker that has died of somebody's stray error.
process.on('uncaughtException', (error) => {
  send({
    log: {
      level: 'error',
      message: `the worker of synchronous calls: ${errorFields(error).message}`,
      target: 'asherah::sync',
    },
  })
})
Atomics.add(count, 0, 1)
Atomics.notify(count, 0)

function startOf(data: unknown): { readonly port: MessagePort; readonly replies: SharedArrayBuffer } {
  if (!isStart(data)) throw new TypeError('not started by @asherah/asherah')
  return data
}

function isStart(data: unknown): data is { readonly port: MessagePort; readonly replies: SharedArrayBuffer } {
  return typeof data === 'object' && data !== null && 'port' in data && 'replies' in data
}
