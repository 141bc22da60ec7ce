import { type Backends, type LoadPackage, openBackends, type Plan, planOf, type Settings } from '@asherah/config'
import { ClosedError } from '@asherah/core'
import { chooseCrypto, chooseCryptoNow } from './choose-crypto.ts'
import { type Engine, engineOver } from './engine.ts'
import { hooks } from './hooks.ts'
import type { SessionOwner } from './sessions.ts'
import { createShadow, type Shadow } from './shadow.ts'
import { createKeySource, lazyBackends, openedOf } from './sync/key-source.ts'
import { createMemoryRows } from './sync/memory-rows.ts'
import type { Opened } from './sync/messages.ts'
import { type SyncWorker, startedSyncWorker, syncWorker } from './sync/sync-worker.ts'

/**
 * A config at work: every call in this thread. A synchronous one that lacks a key has the worker read it; what needs more than
 * that, such as a new key, it has the worker do.
 */
export interface Client {
  readonly plan: Plan
  /** Resolves when the backends are loaded. */
  ready(): Promise<void>
  /** Makes the backends in the worker, so that what is wrong with the config is known now. Blocks. */
  openNow(): void
  encryptNow(partitionId: string, plaintext: Uint8Array, owner?: SessionOwner): string
  decryptNow(partitionId: string, record: string | Uint8Array, owner?: SessionOwner): Uint8Array
  /** In this tick, or undefined: {@link Client.encrypt} does it. Saves the quickest calls a promise. */
  tryEncrypt(partitionId: string, plaintext: Uint8Array, owner?: SessionOwner): string | undefined
  tryDecrypt(partitionId: string, record: string | Uint8Array, owner?: SessionOwner): Uint8Array | undefined
  encrypt(partitionId: string, plaintext: Uint8Array, owner?: SessionOwner): Promise<string>
  decrypt(partitionId: string, record: string | Uint8Array, owner?: SessionOwner): Promise<Uint8Array>
  /** Refuses new calls, waits for those in flight, closes all. Idempotent. */
  close(): Promise<void>
}

const loadHere: LoadPackage = (name) => import(name)
const NOTHING = new Uint8Array(0)
/** Core's default limit. */
const LONGEST_PLAINTEXT = 2 ** 26
/** From here on a payload may leave the thread, which core's asynchronous calls decide. Shorter ones need no promise of core's. */
const OFF_THREAD_BYTES = 65_536
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
  let names: Opened = {}
  let closing: Promise<void> | undefined
  /** Calls that wait for the engine. */
  let early = 0
  let wakeClose: (() => void) | undefined

  const withRows = (backends: Backends): Backends =>
    rows === undefined ? backends : { ...backends, metastore: rows.wrap(backends.metastore) }
  const loading = openBackends(plan, loadHere)
  const start = async (): Promise<Engine> => {
    const backends = await loading
    try {
      if (engine === undefined) {
        const chosen = await chooseCrypto(loadHere)
        if (engine === undefined) engine = engineOver(plan, withRows(backends), chosen)
        else chosen.close() // a synchronous call came first
      }
      const made = engine
      shadow = await createShadow(plan, loadHere, made)
      return made
    } catch (error) {
      // The first failure is the one to tell. An engine that was made closes them itself.
      if (engine === undefined) await backends.close().catch(() => undefined)
      throw error
    }
  }
  const started = start()
  started.catch(() => undefined) // told by the first call

  const check = (): void => {
    if (closing !== undefined) throw new ClosedError('the session factory is closed')
  }
  const opened = (): SyncWorker => {
    if (worker !== undefined && worker === startedSyncWorker()) return worker
    const starting = syncWorker()
    names = openedOf(starting.call({ op: 'open', engine: id, config: settings.reveal() }))
    if (rows !== undefined) starting.call({ op: 'adopt', engine: id, rows: rows.moveTo(starting, id) })
    worker = starting
    return starting
  }
  const source = createKeySource(id, opened, plan)
  /** For a program whose event loop has not turned yet: the backends are on their way, and the keys come from the worker. */
  const engineNow = (): Engine => {
    opened()
    engine ??= engineOver(plan, withRows(lazyBackends(loading, names)), chooseCryptoNow())
    return engine
  }

  const tell = (type: 'encrypt' | 'decrypt', start: bigint): void =>
    hooks.metric({ type, name: `ael.drr.${type}`, durationNs: Number(process.hrtime.bigint() - start) })
  const now = <T>(type: 'encrypt' | 'decrypt', call: () => T): T => {
    if (!hooks.wantsMetrics) return call()
    const start = process.hrtime.bigint()
    try {
      return call()
    } finally {
      tell(type, start)
    }
  }
  const later = async <T>(type: 'encrypt' | 'decrypt', call: () => Promise<T>): Promise<T> => {
    if (!hooks.wantsMetrics) return call()
    const start = process.hrtime.bigint()
    try {
      return await call()
    } finally {
      tell(type, start)
    }
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

  const encryptCold = (partitionId: string, plaintext: Uint8Array, owner: SessionOwner | undefined): string => {
    const here = engineNow()
    const json = here.tryEncrypt(partitionId, plaintext, owner, source)
    if (json !== undefined) return json
    const input = new SharedArrayBuffer(plaintext.byteLength)
    const copy = new Uint8Array(input)
    copy.set(plaintext)
    try {
      const made = opened().call({ op: 'encrypt', engine: id, partitionId, input, length: plaintext.byteLength })
      loadMade(() => here.tryEncrypt(partitionId, NOTHING, owner, source))
      return String(made)
    } finally {
      copy.fill(0)
    }
  }
  const decryptCold = (
    partitionId: string,
    record: string | Uint8Array,
    owner: SessionOwner | undefined,
  ): Uint8Array => {
    const here = engineNow().tryDecrypt(partitionId, record, owner, source)
    if (here !== undefined) return here
    // A plaintext is shorter than its record; a record that is longer than any is refused by the worker.
    const output = new SharedArrayBuffer(Math.min(record.length, LONGEST_PLAINTEXT))
    try {
      const length = Number(opened().call({ op: 'decrypt', engine: id, partitionId, record, output }))
      return new Uint8Array(output).slice(0, length)
    } finally {
      new Uint8Array(output).fill(0)
    }
  }

  /** Nothing is to be done but the call. */
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
    await started.catch(() => undefined)
    await shadow?.close()
    try {
      await engine?.close()
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
        () => engine?.tryEncrypt(partitionId, plaintext, owner) ?? encryptCold(partitionId, plaintext, owner),
      )
      shadow?.check('encrypted', partitionId, json, new Uint8Array(plaintext))
      return json
    },
    decryptNow(partitionId, record, owner) {
      check()
      const plaintext = now(
        'decrypt',
        () => engine?.tryDecrypt(partitionId, record, owner) ?? decryptCold(partitionId, record, owner),
      )
      shadow?.check('decrypted', partitionId, record, new Uint8Array(plaintext))
      return plaintext
    },
    tryEncrypt(partitionId, plaintext, owner) {
      if (!isPlain() || plaintext.byteLength >= OFF_THREAD_BYTES) return undefined
      return engine?.tryEncrypt(partitionId, plaintext, owner)
    },
    tryDecrypt(partitionId, record, owner) {
      if (!isPlain() || record.length >= OFF_THREAD_BYTES) return undefined
      return engine?.tryDecrypt(partitionId, record, owner)
    },
    encrypt(partitionId, plaintext, owner) {
      if (!isPlain() || engine === undefined) return encryptLater(partitionId, plaintext, owner)
      return engine.encrypt(partitionId, plaintext, owner)
    },
    decrypt(partitionId, record, owner) {
      if (!isPlain() || engine === undefined) return decryptLater(partitionId, record, owner)
      return engine.decrypt(partitionId, record, owner)
    },
    close() {
      closing ??= close()
      return closing
    },
  }
}

/** The call has succeeded: that its new key cannot be read here is told by the next one. */
function loadMade(load: () => unknown): void {
  try {
    load()
  } catch {}
}
