import { type MessagePort, workerData } from 'node:worker_threads'
import { planOf, readConfigObject } from '@asherah/config'
import { AsherahError, ClosedError, DecryptionError, KmsError, type Metastore } from '@asherah/core'
import { createEngine, type Engine } from '../engine.ts'
import { hooks, type LogEvent } from '../hooks.ts'
import { errorFields } from './error-fields.ts'
import {
  type Answer,
  BEAT_MS,
  BEATS,
  ENDED,
  type Envelope,
  type Opened,
  REPLIES,
  type Reply,
  type Request,
} from './messages.ts'

// Does what a synchronous call cannot: it waits for metastores and KMS, while the thread that asked is blocked. One worker
// serves every client of its JavaScript environment. System keys and payloads cross in shared memory, which is wiped.

const { port, shared } = startOf(workerData)
const count = new Int32Array(shared)
const engines = new Map<number, Promise<Engine>>()

function send(reply: Reply): void {
  port.postMessage(reply)
  signal()
}

function signal(): void {
  Atomics.add(count, REPLIES, 1)
  Atomics.notify(count, REPLIES)
}

function tellLog(log: LogEvent): void {
  send({ log })
}

async function open(request: Extract<Request, { op: 'open' }>): Promise<void> {
  if (engines.has(request.engine)) return
  // The thread that asked makes an engine too, and tells the warnings of that itself.
  hooks.setLog(undefined)
  // The environment was read by the thread that asked: its settings are complete.
  const opening = createEngine(planOf(readConfigObject(request.config, {})), (name) => import(name))
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

function namesOf({ regionSuffix, maxKeyId }: Metastore): Opened {
  return { ...(regionSuffix !== undefined && { regionSuffix }), ...(maxKeyId !== undefined && { maxKeyId }) }
}

/** @throws KmsError */
async function decryptKey({ engine, row, output }: Extract<Request, { op: 'decryptKey' }>): Promise<Answer> {
  const { keyId, created, encryptedKey, revoked } = row
  const { kms } = (await engineOf(engine)).backends
  try {
    const key = await kms.decryptKey(encryptedKey, { key: { keyId, created }, revoked })
    try {
      if (key.byteLength !== output.byteLength) throw new TypeError('the KMS gave no key of 32 bytes')
      new Uint8Array(output).set(key)
      return key.byteLength
    } finally {
      key.fill(0)
    }
  } catch (cause) {
    if (cause instanceof AsherahError && !(cause instanceof DecryptionError)) throw cause
    throw new KmsError(`the KMS could not decrypt system key ${JSON.stringify(keyId)}`, { cause })
  }
}

async function answer(request: Request): Promise<Answer> {
  switch (request.op) {
    case 'open':
      await open(request)
      return namesOf((await engineOf(request.engine)).backends.metastore)
    case 'close': {
      const engine = engines.get(request.engine)
      engines.delete(request.engine)
      await (await engine)?.close()
      return true
    }
    case 'adopt': {
      const { metastore } = (await engineOf(request.engine)).backends
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
      return (await engineOf(request.engine)).backends.metastore.load(request.keyId, request.created)
    case 'loadLatest': {
      const { keyId, notAfter } = request
      return (await engineOf(request.engine)).backends.metastore.loadLatest(
        keyId,
        notAfter === undefined ? {} : { notAfter },
      )
    }
    case 'decryptKey':
      return decryptKey(request)
    case 'store': {
      const { record } = request
      return (await engineOf(request.engine)).backends.metastore.store(record.keyId, record.created, record)
    }
  }
}

// The thread that asked chooses which of these its own hooks get.
hooks.setLog(tellLog)
hooks.setMetrics((metric) => send({ metric }))
/** While something is asked: a thread that waits sees by it that this one lives. */
let beating: NodeJS.Timeout | undefined
let asked = 0
port.on('message', ({ id, request }: Envelope) => {
  asked += 1
  beating ??= setInterval(() => Atomics.add(count, BEATS, 1), BEAT_MS)
  answer(request)
    .then(
      (result) => send({ id, ok: true, answer: result }),
      (error: unknown) => send({ id, ok: false, error: errorFields(error) }),
    )
    .finally(() => {
      asked -= 1
      if (asked > 0) return
      clearInterval(beating)
      beating = undefined
    })
})
// No event reaches a blocked thread: this does.
process.on('exit', () => {
  Atomics.store(count, BEATS, ENDED)
  signal()
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
signal()

function startOf(data: unknown): { readonly port: MessagePort; readonly shared: SharedArrayBuffer } {
  if (!isStart(data)) throw new TypeError('not started by @asherah/asherah')
  return data
}

function isStart(data: unknown): data is { readonly port: MessagePort; readonly shared: SharedArrayBuffer } {
  return typeof data === 'object' && data !== null && 'port' in data && 'shared' in data
}
