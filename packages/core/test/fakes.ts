import { randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { createHeapSecrets, createNodeCrypto, type EventChannel, openAes256Gcm, sealAes256Gcm } from '../src/backend.ts'
import {
  type CacheEvent,
  type Clock,
  type CryptoProvider,
  channels,
  type DataRowRecord,
  type EnvelopeKeyRecord,
  type KeyEvent,
  type KeyHandle,
  type KeyManagementService,
  type KeyMeta,
  type Metastore,
  type Secret,
  type SecretFactory,
  SessionFactory,
  type SessionFactoryOptions,
  type WarningEvent,
} from '../src/index.ts'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
/** 2026-01-01T00:00:30Z: half a minute past a whole one, so that truncation shows. */
export const START_MS: number = Date.UTC(2026, 0, 1, 0, 0, 30)

/** A clock whose wall time and monotonic time are moved by hand, together or apart. */
export interface FakeClock extends Clock {
  /** Time passes: both clocks move. */
  advance(ms: number): void
  /** The wall clock is set: monotonic time does not move. */
  step(ms: number): void
  /** The wall clock is set to a time, in Unix ms. */
  set(ms: number): void
}

export function createFakeClock(startMs: number = START_MS): FakeClock {
  let wall = startMs
  let monotonic = 5_000_000
  return {
    now: () => wall,
    monotonicMs: () => monotonic,
    advance(ms) {
      wall += ms
      monotonic += ms
    },
    step(ms) {
      wall += ms
    },
    set(ms) {
      wall = ms
    },
  }
}

/** One call of a fake metastore, as its hooks and its log see it. */
export interface MetastoreCall {
  readonly method: 'load' | 'loadLatest' | 'store'
  readonly keyId: string
  /** Of `load` and `store`. */
  readonly created?: number
  /** Of `loadLatest`. */
  readonly notAfter?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** The rows of one store: several metastores (processes, regions) can share it. */
export interface FakeRows {
  all(): EnvelopeKeyRecord[]
  get(keyId: string, created: number): EnvelopeKeyRecord | undefined
  /** Newest last. */
  of(keyId: string): EnvelopeKeyRecord[]
  /** The ids that begin so, e.g. `_SK_`, once for each row. */
  startingWith(prefix: string): EnvelopeKeyRecord[]
  /** Inserts or overwrites, as no metastore would. */
  put(row: EnvelopeKeyRecord): void
  /** Changes fields of a row that is there; its id and `created` stay. */
  edit(key: KeyMeta, change: Partial<Omit<EnvelopeKeyRecord, 'keyId' | 'created'>>): void
  /** Removes the parent's name from a row. */
  orphan(key: KeyMeta): void
  revoke(key: KeyMeta): void
  remove(key: KeyMeta): void
}

export function createFakeRows(): FakeRows {
  const rows = new Map<string, Map<number, EnvelopeKeyRecord>>()
  const find = ({ keyId, created }: KeyMeta): EnvelopeKeyRecord => {
    const row = rows.get(keyId)?.get(created)
    if (row === undefined) throw new Error(`the test expects a row ${keyId} ${created}`)
    return row
  }
  const put = (row: EnvelopeKeyRecord): void => {
    const versions = rows.get(row.keyId) ?? new Map<number, EnvelopeKeyRecord>()
    rows.set(row.keyId, versions)
    versions.set(row.created, copyRow(row))
  }
  const of = (keyId: string): EnvelopeKeyRecord[] =>
    [...(rows.get(keyId)?.values() ?? [])].map(copyRow).sort((a, b) => a.created - b.created)
  const all = (): EnvelopeKeyRecord[] => [...rows.keys()].flatMap(of)
  return {
    all,
    of,
    put,
    get(keyId, created) {
      const row = rows.get(keyId)?.get(created)
      return row && copyRow(row)
    },
    startingWith: (prefix) => all().filter((row) => row.keyId.startsWith(prefix)),
    edit: (key, change) => put({ ...find(key), ...change }),
    orphan(key) {
      const { parentKeyMeta: _, ...rest } = find(key)
      put(rest)
    },
    revoke: (key) => put({ ...find(key), revoked: true }),
    remove(key) {
      find(key)
      rows.get(key.keyId)?.delete(key.created)
    },
  }
}

/** A memory metastore with hooks for faults and a log of calls. */
export interface FakeMetastore extends Metastore {
  readonly rows: FakeRows
  readonly calls: MetastoreCall[]
  /** Awaited before a call reads or writes: throw to fail it, wait to delay it. */
  before: ((call: MetastoreCall) => void | Promise<void>) | undefined
  /** Awaited after a call has read or written, before it answers: throw to lose the answer. */
  after: ((call: MetastoreCall) => void | Promise<void>) | undefined
  /** Answers `loadLatest` as if `notAfter` had not been given. */
  ignoresNotAfter: boolean
  /** How many calls of a method there were, of all ids or of those that begin so. */
  count(method?: MetastoreCall['method'], prefix?: string): number
  /** Empties the log. */
  forget(): void
}

export function createFakeMetastore(
  options: { rows?: FakeRows; regionSuffix?: string; maxKeyId?: NonNullable<Metastore['maxKeyId']> } = {},
): FakeMetastore {
  const { rows = createFakeRows(), regionSuffix, maxKeyId } = options
  const store: FakeMetastore = {
    ...(regionSuffix !== undefined && { regionSuffix }),
    ...(maxKeyId !== undefined && { maxKeyId }),
    rows,
    calls: [],
    before: undefined,
    after: undefined,
    ignoresNotAfter: false,
    count: (method, prefix = '') =>
      store.calls.filter((call) => (method === undefined || call.method === method) && call.keyId.startsWith(prefix))
        .length,
    forget() {
      store.calls.length = 0
    },
    load: (keyId, created, call) =>
      logged({ method: 'load', keyId, created, signal: call?.signal }, () => rows.get(keyId, created) ?? null),
    loadLatest: (keyId, call) =>
      logged({ method: 'loadLatest', keyId, notAfter: call?.notAfter, signal: call?.signal }, () => {
        const limit = store.ignoresNotAfter ? Number.POSITIVE_INFINITY : (call?.notAfter ?? Number.POSITIVE_INFINITY)
        return (
          rows
            .of(keyId)
            .filter((row) => row.created <= limit)
            .at(-1) ?? null
        )
      }),
    store: (keyId, created, record, call) =>
      logged({ method: 'store', keyId, created, signal: call?.signal }, () => {
        if (rows.get(keyId, created) !== undefined) return false
        rows.put(record)
        return true
      }),
  }
  const logged = async <T>(call: MetastoreCall, work: () => T): Promise<T> => {
    store.calls.push(call)
    await store.before?.(call)
    const result = work()
    await store.after?.(call)
    return result
  }
  return store
}

function copyRow(row: EnvelopeKeyRecord): EnvelopeKeyRecord {
  return {
    ...row,
    encryptedKey: new Uint8Array(row.encryptedKey),
    ...(row.parentKeyMeta && { parentKeyMeta: { ...row.parentKeyMeta } }),
  }
}

/** A KMS with one master key. It keeps what it was shown, so that a test can see it wiped. */
export interface FakeKms extends KeyManagementService {
  readonly encrypted: (KeyMeta | undefined)[]
  readonly decrypted: (KeyMeta & { readonly revoked: boolean | undefined })[]
  /** Every plaintext key that went in or out: the same memory, not a copy. */
  readonly seen: Uint8Array[]
  /** Awaited before each call: throw to fail it, wait to delay it. */
  before: ((method: 'encryptKey' | 'decryptKey', signal?: AbortSignal) => void | Promise<void>) | undefined
}

export function createFakeKms(masterKey: Uint8Array = new Uint8Array(32).fill(7)): FakeKms {
  const kms: FakeKms = {
    encrypted: [],
    decrypted: [],
    seen: [],
    before: undefined,
    async encryptKey(key, options) {
      kms.encrypted.push(options?.key)
      kms.seen.push(key)
      await kms.before?.('encryptKey', options?.signal)
      return sealAes256Gcm(key, masterKey)
    },
    async decryptKey(blob, options) {
      kms.decrypted.push({ keyId: '', created: 0, ...options?.key, revoked: options?.revoked })
      await kms.before?.('decryptKey', options?.signal)
      const key = openAes256Gcm(blob, masterKey)
      kms.seen.push(key)
      return key
    },
  }
  return kms
}

/** Core's own crypto, with its key handles counted. */
export interface SpyCrypto extends CryptoProvider {
  /** Handles that were made and are not closed. */
  readonly open: number
  /** Handles that were ever made. */
  readonly made: number
  /** Runs before each call: throw to fail it. */
  before:
    | ((method: 'generateKey' | 'importKey' | 'wrapKey' | 'unwrapKey' | 'encryptRow' | 'decryptRow') => void)
    | undefined
  /** How many calls of a method there were. */
  readonly counts: Record<string, number>
}

export function createSpyCrypto(secrets: SecretFactory = createHeapSecrets()): SpyCrypto {
  const inner = createNodeCrypto({ secrets })
  const open = new Set<KeyHandle>()
  let made = 0
  const counts: Record<string, number> = {}
  const counted = <T>(method: Parameters<NonNullable<SpyCrypto['before']>>[0], work: () => T): T => {
    counts[method] = (counts[method] ?? 0) + 1
    spy.before?.(method)
    return work()
  }
  const kept = (handle: KeyHandle): KeyHandle => {
    made += 1
    open.add(handle)
    return handle
  }
  const spy: SpyCrypto = {
    kind: 'spy',
    before: undefined,
    counts,
    get made() {
      return made
    },
    get open() {
      for (const handle of open) if (handle.closed) open.delete(handle)
      return open.size
    },
    generateKey: () => counted('generateKey', () => kept(inner.generateKey())),
    importKey: (bytes) => counted('importKey', () => kept(inner.importKey(bytes))),
    exportKey: (key, use) => inner.exportKey(key, use),
    wrapKey: (key, parent) => counted('wrapKey', () => inner.wrapKey(key, parent)),
    unwrapKey: (wrapped, parent) => counted('unwrapKey', () => kept(inner.unwrapKey(wrapped, parent))),
    encryptRow: (key, plaintext) => counted('encryptRow', () => inner.encryptRow(key, plaintext)),
    decryptRow: (key, wrapped, data) => counted('decryptRow', () => inner.decryptRow(key, wrapped, data)),
    close: () => inner.close(),
  }
  return spy
}

/** Heap secrets, counted; `inputs` are the buffers that were taken over: the same memory, not copies. */
export interface SpySecrets extends SecretFactory {
  readonly open: number
  readonly made: number
  readonly inputs: Uint8Array[]
  readonly closed: boolean
}

export function createSpySecrets(): SpySecrets {
  const inner = createHeapSecrets()
  const secrets: Secret[] = []
  const inputs: Uint8Array[] = []
  let closed = false
  const kept = (secret: Secret): Secret => {
    secrets.push(secret)
    return secret
  }
  return {
    inputs,
    get open() {
      return secrets.filter((secret) => !secret.closed).length
    },
    get made() {
      return secrets.length
    },
    get closed() {
      return closed
    },
    fromBytes(bytes) {
      inputs.push(bytes)
      return kept(inner.fromBytes(bytes))
    },
    createRandom: (length) => kept(inner.createRandom(length)),
    close() {
      closed = true
      inner.close()
    },
  }
}

/** A factory and all its parts. */
export interface World {
  readonly clock: FakeClock
  readonly metastore: FakeMetastore
  readonly rows: FakeRows
  readonly kms: FakeKms
  readonly crypto: SpyCrypto
  readonly factory: SessionFactory
}

export const SERVICE = 'svc'
export const PRODUCT = 'prod'
export const SYSTEM_KEY_ID = `_SK_${SERVICE}_${PRODUCT}`
export const intermediateKeyId = (partitionId: string): string => `_IK_${partitionId}_${SERVICE}_${PRODUCT}`

/**
 * A factory over fakes, without jitter, and without a second look for what is missing. `shared` gives parts of another world: a second process on its store is
 * `createWorld({}, { clock, metastore: createFakeMetastore({ rows }), kms })`.
 */
export function createWorld(
  policy: SessionFactoryOptions['policy'] = {},
  shared: Partial<Omit<World, 'factory' | 'rows'>> = {},
  options: Partial<Omit<SessionFactoryOptions, 'policy' | 'metastore' | 'kms' | 'crypto' | 'clock'>> = {},
): World {
  const clock = shared.clock ?? createFakeClock()
  const metastore = shared.metastore ?? createFakeMetastore()
  const kms = shared.kms ?? createFakeKms()
  const crypto = shared.crypto ?? createSpyCrypto()
  const factory = new SessionFactory({
    service: SERVICE,
    product: PRODUCT,
    metastore,
    kms,
    crypto,
    clock,
    policy: { keyReloadJitter: 0, missingKeyRetryMs: 0, ...policy },
    ...options,
  })
  return { clock, metastore, rows: metastore.rows, kms, crypto, factory }
}

/** A second process on the same store, clock and KMS, with its own metastore client and crypto. */
export function createPeer(
  world: World,
  policy: SessionFactoryOptions['policy'] = {},
  options: Parameters<typeof createWorld>[2] = {},
): World {
  const metastore = createFakeMetastore({
    rows: world.rows,
    ...(world.metastore.regionSuffix !== undefined && { regionSuffix: world.metastore.regionSuffix }),
  })
  return createWorld(policy, { clock: world.clock, kms: world.kms, metastore }, options)
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
/** The intermediate key that a record names. */
export const parentOf = (record: DataRowRecord): KeyMeta => record.key.parentKeyMeta

/** A promise that the test settles. */
export interface Deferred<T = void> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(reason: unknown): void
}

export function createDeferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  let reject: (reason: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve: (value) => resolve(value), reject: (reason) => reject(reason) }
}

/** Lets all work go on that waits for nothing but promises. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Waits until a condition holds, by turns of the event loop; fails if it never does. */
export async function until(condition: () => boolean, what = 'the condition'): Promise<void> {
  for (let turn = 0; turn < 10_000; turn += 1) {
    if (condition()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`${what} did not come true`)
}

/** What the channels published, until `stop`. */
export interface Recording {
  readonly key: KeyEvent[]
  readonly cache: CacheEvent[]
  /** But for `SESSION_NOT_CLOSED`, which sessions that earlier tests dropped publish whenever they are collected. */
  readonly warning: WarningEvent[]
  stop(): void
}

/** Listens to the three plain channels. Call `stop` in `afterEach` or `finally`. */
export function recordEvents(): Recording {
  const key = listen(channels.key, isKeyEvent)
  const cache = listen(channels.cache, isCacheEvent)
  const warning = listen(channels.warning, isOwnWarning)
  return {
    key: key.messages,
    cache: cache.messages,
    warning: warning.messages,
    stop() {
      key.stop()
      cache.stop()
      warning.stop()
    },
  }
}

function listen<T>(channel: EventChannel<T>, isMessage: (message: unknown) => message is T) {
  const messages: T[] = []
  const onMessage = (message: unknown): void => {
    if (isMessage(message)) messages.push(message)
  }
  subscribe(channel.name, onMessage)
  return { messages, stop: () => unsubscribe(channel.name, onMessage) }
}

const has = (message: unknown, ...names: string[]): boolean =>
  typeof message === 'object' && message !== null && names.every((name) => name in message)
const isKeyEvent = (message: unknown): message is KeyEvent => has(message, 'event', 'keyId', 'created')
const isCacheEvent = (message: unknown): message is CacheEvent => has(message, 'event', 'keyId', 'cache')
const isWarning = (message: unknown): message is WarningEvent => has(message, 'code', 'message')
const isOwnWarning = (message: unknown): message is WarningEvent =>
  isWarning(message) && message.code !== 'SESSION_NOT_CLOSED'

/** Writes a system key's row without core, and returns its bytes. */
export async function plantSystemKey(
  world: Pick<World, 'rows' | 'kms'>,
  created: number,
  options: { keyId?: string; revoked?: boolean } = {},
): Promise<Uint8Array> {
  const { keyId = SYSTEM_KEY_ID, revoked = false } = options
  const bytes = randomBytes(32)
  const encryptedKey = await world.kms.encryptKey(bytes)
  world.kms.encrypted.pop()
  world.kms.seen.pop()
  world.rows.put({ keyId, created, encryptedKey, revoked })
  return bytes
}

/** Writes an intermediate key's row without core, under a system key made by {@link plantSystemKey}. */
export function plantIntermediateKey(
  world: Pick<World, 'rows'>,
  keyId: string,
  created: number,
  parent: { readonly keyId?: string; readonly created: number; readonly bytes: Uint8Array },
): void {
  const parentKeyMeta = { keyId: parent.keyId ?? SYSTEM_KEY_ID, created: parent.created }
  const encryptedKey = sealAes256Gcm(randomBytes(32), parent.bytes)
  world.rows.put({ keyId, created, encryptedKey, revoked: false, parentKeyMeta })
}

/** A copy with one bit of its first byte changed. */
export function flipped(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes)
  copy[0] = (copy[0] ?? 0) ^ 1
  return copy
}
