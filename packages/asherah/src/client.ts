import { type LoadPackage, type Plan, planOf, type Settings } from '@asherah/config'
import { ClosedError } from '@asherah/core'
import { createEngine, type Engine } from './engine.ts'
import { hooks } from './hooks.ts'
import type { SessionOwner } from './sessions.ts'
import { createShadow, type Shadow } from './shadow.ts'
import { createMemoryRows } from './sync/memory-rows.ts'
import { type SyncWorker, startedSyncWorker, syncWorker } from './sync/sync-worker.ts'

/** A config at work: asynchronous calls in this thread, synchronous ones here too when the key is at hand, else in the worker. */
export interface Client {
  readonly plan: Plan
  /** Resolves when the backends are loaded. */
  ready(): Promise<void>
  /** Makes the backends in the worker, so that what is wrong with the config is known now. Blocks. */
  openNow(): void
  encryptNow(partitionId: string, plaintext: Uint8Array, owner?: SessionOwner): string
  decryptNow(partitionId: string, record: string | Uint8Array, owner?: SessionOwner): Uint8Array
  encrypt(partitionId: string, plaintext: Uint8Array, owner?: SessionOwner): Promise<string>
  decrypt(partitionId: string, record: string | Uint8Array, owner?: SessionOwner): Promise<Uint8Array>
  /** Refuses new calls, waits for those in flight, closes all. Idempotent. */
  close(): Promise<void>
}

const loadHere: LoadPackage = (name) => import(name)
const NOTHING = new Uint8Array(0)
let clients = 0

/** @throws InvalidConfigError for what the keys say together. What the backends say comes with the first call. */
export function createClient(settings: Settings): Client {
  const plan = planOf(settings)
  clients += 1
  const id = clients
  const rows = plan.metastore.kind === 'memory' ? createMemoryRows() : undefined
  let engine: Engine | undefined
  let shadow: Shadow | undefined
  let worker: SyncWorker | undefined
  let closing: Promise<void> | undefined
  /** Calls that wait for the engine. */
  let early = 0
  let wakeClose: (() => void) | undefined

  const started = createEngine(settings, {
    load: loadHere,
    ...(rows !== undefined && { wrapMetastore: rows.wrap }),
  }).then(async (made) => {
    shadow = await createShadow(settings, loadHere, made)
    engine = made
    return made
  })
  started.catch(() => undefined) // told by the first call

  const check = (): void => {
    if (closing !== undefined) throw new ClosedError('the session factory is closed')
  }
  const opened = (): SyncWorker => {
    if (worker !== undefined && worker === startedSyncWorker()) return worker
    const starting = syncWorker()
    starting.call({ op: 'open', engine: id, config: settings.reveal() })
    if (rows !== undefined) starting.call({ op: 'adopt', engine: id, rows: rows.moveTo(starting, id) })
    worker = starting
    return starting
  }

  /** Partitions whose keys are on their way into this thread, after the worker had to load them. */
  const warming = new Set<string>()
  const warm = (partitionId: string, load: (engine: Engine) => Promise<unknown>): void => {
    if (warming.has(partitionId)) return
    warming.add(partitionId)
    const done = (): void => void warming.delete(partitionId)
    started.then(load).then(done, done) // a failure will be told by the call that meets it
  }

  const timed = <T>(type: 'encrypt' | 'decrypt', start: bigint, value: T): T => {
    hooks.metric({ type, name: `ael.drr.${type}`, durationNs: Number(process.hrtime.bigint() - start) })
    return value
  }
  const now = <T>(type: 'encrypt' | 'decrypt', call: () => T): T => {
    if (!hooks.wantsMetrics) return call()
    const start = process.hrtime.bigint()
    return timed(type, start, call())
  }
  const later = async <T>(type: 'encrypt' | 'decrypt', call: () => Promise<T>): Promise<T> => {
    if (!hooks.wantsMetrics) return call()
    const start = process.hrtime.bigint()
    return timed(type, start, await call())
  }
  /** @param bytes What the caller may change while the engine starts: a copy is used then, and wiped. */
  const withEngine = async <T, B extends string | Uint8Array>(
    bytes: B,
    call: (engine: Engine, bytes: B | Uint8Array) => Promise<T>,
  ): Promise<T> => {
    check()
    if (engine !== undefined) return call(engine, bytes)
    const copy = typeof bytes === 'string' ? bytes : new Uint8Array(bytes)
    early += 1
    try {
      return await call(await started, copy)
    } finally {
      if (typeof copy !== 'string') copy.fill(0)
      early -= 1
      if (early === 0) wakeClose?.()
    }
  }

  const encryptCold = (partitionId: string, plaintext: Uint8Array): string => {
    const thread = opened()
    const input = new SharedArrayBuffer(plaintext.byteLength)
    const copy = new Uint8Array(input)
    copy.set(plaintext)
    try {
      const json = thread.call({ op: 'encrypt', engine: id, partitionId, input, length: plaintext.byteLength })
      return String(json)
    } finally {
      copy.fill(0)
      warm(partitionId, (made) => made.encrypt(partitionId, NOTHING))
    }
  }
  const decryptCold = (partitionId: string, record: string | Uint8Array): Uint8Array => {
    const thread = opened()
    const output = new SharedArrayBuffer(record.length)
    try {
      const length = Number(thread.call({ op: 'decrypt', engine: id, partitionId, record, output }))
      return new Uint8Array(output).slice(0, length)
    } finally {
      new Uint8Array(output).fill(0)
      warm(partitionId, async (made) => (await made.decrypt(partitionId, record)).fill(0))
    }
  }

  /** Nothing is to be done but the call: the hot path has one promise less. */
  const isPlain = (): boolean => shadow === undefined && closing === undefined && !hooks.wantsMetrics
  const encryptLater: Client['encrypt'] = async (partitionId, plaintext, owner) => {
    // What is there at the call is what is compared.
    const snapshot = shadow === undefined ? undefined : new Uint8Array(plaintext)
    const json = await later('encrypt', () =>
      withEngine(plaintext, (made, bytes) => made.encrypt(partitionId, bytes, owner)),
    )
    if (snapshot !== undefined) shadow?.check('encrypted', partitionId, json, snapshot)
    return json
  }
  const decryptLater: Client['decrypt'] = async (partitionId, record, owner) => {
    const plaintext = await later('decrypt', () =>
      withEngine(record, (made, bytes) => made.decrypt(partitionId, bytes, owner)),
    )
    shadow?.check('decrypted', partitionId, record, new Uint8Array(plaintext))
    return plaintext
  }

  const close = async (): Promise<void> => {
    if (early > 0) {
      await new Promise<void>((resolve) => {
        wakeClose = resolve
      })
    }
    const made = await started.catch(() => undefined)
    await shadow?.close()
    try {
      await made?.close()
    } finally {
      if (worker !== undefined && worker === startedSyncWorker()) await worker.ask({ op: 'close', engine: id })
    }
  }

  return {
    plan,
    ready: () => started.then(() => undefined),
    openNow: () => void opened(),
    encryptNow(partitionId, plaintext, owner) {
      check()
      const json = now(
        'encrypt',
        () => engine?.tryEncrypt(partitionId, plaintext, owner) ?? encryptCold(partitionId, plaintext),
      )
      shadow?.check('encrypted', partitionId, json, new Uint8Array(plaintext))
      return json
    },
    decryptNow(partitionId, record, owner) {
      check()
      const plaintext = now(
        'decrypt',
        () => engine?.tryDecrypt(partitionId, record, owner) ?? decryptCold(partitionId, record),
      )
      shadow?.check('decrypted', partitionId, record, new Uint8Array(plaintext))
      return plaintext
    },
    encrypt(partitionId, plaintext, owner) {
      return isPlain() && engine !== undefined
        ? engine.encrypt(partitionId, plaintext, owner)
        : encryptLater(partitionId, plaintext, owner)
    },
    decrypt(partitionId, record, owner) {
      return isPlain() && engine !== undefined
        ? engine.decrypt(partitionId, record, owner)
        : decryptLater(partitionId, record, owner)
    },
    close() {
      closing ??= close()
      return closing
    },
  }
}
