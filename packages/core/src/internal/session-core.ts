import { isUint8Array } from 'node:util/types'
import type { Call } from '../contracts/call.ts'
import type { CryptoProvider, KeyHandle } from '../contracts/crypto-provider.ts'
import { channels, isTraced, type TraceContext, trace, traceNow } from '../diagnostics.ts'
import { AsherahError, type AsherahErrorCode, DecryptionError } from '../errors.ts'
import type { PartitionIds } from '../partition.ts'
import type { DataRowRecord, DataRowRecordInput, KeyMeta } from '../types.ts'
import type { BlockingKeySource } from './backend-calls.ts'
import { offHeapCopy } from './bytes.ts'
import { type Envelope, type OpenRow, openRow, type Partition, type SealRow } from './envelope.ts'
import type { KeyCache } from './key-cache.ts'
import type { Operations } from './operations.ts'
import {
  createDataRowRecord,
  createDataRowTemplate,
  type DataRowTemplate,
  decodeBase64Pooled,
  decodeDataRowRecordText,
  parseDataRowRecord,
  type RecordLimits,
  type ScannedDataRow,
  scanDataRowRecord,
  serializeDataRowRecord,
} from './record-codec.ts'
import { byteLengthOf } from './record-fields.ts'
import { createSessionBatch } from './session-batch.ts'
import { checkCall, checkPlaintext, mustBeCopied } from './session-input.ts'

/** What all sessions of a factory share. */
export interface SessionCoreContext {
  readonly envelope: Envelope
  readonly crypto: CryptoProvider
  readonly operations: Operations
  readonly limits: RecordLimits
  readonly uniformErrors: boolean
}

/**
 * Encrypts and decrypts for one partition, for one session or for all that share it.
 *
 * The `try` forms check the arguments, and are the hot path: they answer in this tick, or give undefined when a key must be
 * loaded or somebody traces. The forms without `try` go on from there.
 */
export interface SessionCore {
  readonly partitionId: string
  tryEncrypt(plaintext: Uint8Array, call: Call): DataRowRecord | undefined
  encrypt(plaintext: Uint8Array, call: Call): Promise<DataRowRecord>
  tryEncryptToJson(plaintext: Uint8Array, call: Call): string | undefined
  encryptToJson(plaintext: Uint8Array, call: Call): Promise<string>
  tryDecrypt(record: DataRowRecordInput, call: Call): Uint8Array | undefined
  decrypt(record: DataRowRecordInput, call: Call): Promise<Uint8Array>
  /** As `tryEncryptToJson`, for callers that cannot wait: whatever the size, and traced. Undefined: a key must be loaded. */
  encryptToJsonNow(plaintext: Uint8Array): string | undefined
  /** As `tryDecrypt`, for callers that cannot wait: every form of a record, and traced. Undefined: a key must be loaded. */
  decryptNow(record: DataRowRecordInput): Uint8Array | undefined
  /** Loads the key that writes, or the one that a record names, in this tick. False: that needs the forms with a promise. */
  loadKeysNow(source: BlockingKeySource, record: DataRowRecordInput | undefined): boolean
  encryptMany(plaintexts: readonly Uint8Array[], call: Call): Promise<string[]>
  decryptMany(records: readonly DataRowRecordInput[], call: Call): Promise<Uint8Array[]>
  /** Loads the key that the next encrypt needs. */
  warm(call: Call): Promise<void>
  /** Decrypts what `read` gives, if anything, as one operation: a close that comes in between waits for it. */
  load(read: () => Promise<DataRowRecordInput | null | undefined>, call: Call): Promise<Uint8Array | undefined>
  /** Wipes the session's own keys; those in use, when their operation ends. */
  close(): void
}

/** From here on a payload's text is made on another thread, where the provider can: the measured point where that pays. */
const OFF_THREAD_BYTES = 131_072

/** The codes that `uniformErrors` makes one. */
const UNIFORM_CODES: readonly AsherahErrorCode[] = [
  'ERR_ASHERAH_WRONG_PARTITION',
  'ERR_ASHERAH_KEY_NOT_FOUND',
  'ERR_ASHERAH_DECRYPTION_FAILED',
]

/** Makes the core of a partition's sessions. With `ownsKeys` the cache is wiped with it. */
export type CreateSessionCore = (ids: PartitionIds, keyCache: KeyCache, ownsKeys: boolean) => SessionCore

/** Makes what makes the cores of a factory's sessions: what they do is made once, and a core is a few fields. */
export function createSessionCores(context: SessionCoreContext): CreateSessionCore {
  const { envelope, crypto, operations, limits } = context
  const { encrypt: encryptTrace, decrypt: decryptTrace } = channels.trace

  const sealRecord: SealRow<DataRowRecord> = (key, plaintext, { created, parentKeyMeta }) => {
    const { encryptedKey, data } = crypto.encryptRow(key, plaintext)
    return createDataRowRecord({ key: { created, encryptedKey, parentKeyMeta }, data })
  }
  const sealJson: SealRow<string> = (key, plaintext, meta) =>
    crypto.encryptRowJson?.(key, plaintext, meta) ?? serializeDataRowRecord(sealRecord(key, plaintext, meta))

  const accept = (call: Call): void => {
    operations.check()
    checkCall(call)
  }
  const sealJsonAsync: SealRow<Promise<string>> = async (key, plaintext, meta) =>
    crypto.encryptRowJsonAsync?.(key, plaintext, meta) ?? sealJson(key, plaintext, meta)
  const leavesThread = (plaintext: Uint8Array): boolean =>
    crypto.encryptRowJsonAsync !== undefined && isUint8Array(plaintext) && byteLengthOf(plaintext) >= OFF_THREAD_BYTES
  const trySeal = <T>(core: Core, plaintext: Uint8Array, form: SealRow<T>, call: Call): T | undefined => {
    accept(call)
    checkPlaintext(plaintext, limits)
    if (isTraced(encryptTrace) || mustBeCopied(plaintext)) return undefined
    return envelope.trySeal(core, plaintext, form)
  }
  const sealTraced = <T>(core: Core, plaintext: Uint8Array, form: SealRow<T>, call: Call): Promise<Awaited<T>> => {
    if (!isTraced(encryptTrace)) return envelope.seal(core, plaintext, form, call)
    const message: TraceContext = { partitionId: core.partitionId, size: plaintext.byteLength }
    const noting: SealRow<T> = (key, payload, meta) => {
      noteKey(message, meta.parentKeyMeta)
      return form(key, payload, meta)
    }
    return trace(encryptTrace, message, () => envelope.seal(core, plaintext, noting, call))
  }
  const seal = async <T>(core: Core, plaintext: Uint8Array, form: SealRow<T>, call: Call): Promise<Awaited<T>> => {
    // The caller may change the bytes while a key is loaded; what was there at the call is encrypted.
    const snapshot = offHeapCopy(plaintext)
    try {
      checkPlaintext(snapshot, limits) // shared memory may have grown since the call
      return await operations.run(() => sealTraced(core, snapshot, form, call))
    } finally {
      snapshot.fill(0)
    }
  }

  const remember = (core: Core, { parentKeyId: keyId, parentCreated: created }: ScannedDataRow): void => {
    const known = core.template?.parentKeyMeta
    if (created === known?.created && keyId === known.keyId) return
    if (created === core.lastCreated) core.template = createDataRowTemplate({ keyId, created })
    core.lastCreated = created
  }
  const tryOpenText = (core: Core, json: string, tracing?: OpenTracing): Uint8Array | undefined => {
    const scanned = scanDataRowRecord(json, limits, core.template)
    if (scanned === undefined) return undefined
    const { parentKeyId: keyId, parentCreated: created } = scanned
    tracing?.note({ keyId, created })
    envelope.checkPartition(core, keyId)
    remember(core, scanned)
    const opener = textOpener(crypto, json, scanned)
    return envelope.tryOpen(core, keyId, created, tracing === undefined ? opener : tracing.around(opener))
  }
  /** Undefined: a key must be loaded, or the text is not of the common form. */
  const tryOpen = (core: Core, record: DataRowRecordInput, tracing?: OpenTracing): Uint8Array | undefined => {
    if (typeof record === 'string') return tryOpenText(core, record, tracing)
    return isUint8Array(record) ? tryOpenText(core, decodeDataRowRecordText(record, limits), tracing) : undefined
  }
  /** The whole record is checked before any key is loaded. */
  const parse = (core: Core, record: DataRowRecordInput, tracing?: OpenTracing) => {
    const { key, data } = parseDataRowRecord(record, limits)
    tracing?.note(key.parentKeyMeta)
    envelope.checkPartition(core, key.parentKeyMeta.keyId)
    const openParsed: OpenRow = (handle) => openRow(crypto, handle, key.encryptedKey, data)
    return { parent: key.parentKeyMeta, openParsed }
  }
  const open = async (
    core: Core,
    record: DataRowRecordInput,
    call: Call,
    tracing?: OpenTracing,
  ): Promise<Uint8Array> => {
    checkCall(call)
    const opened = tryOpen(core, record, tracing)
    if (opened !== undefined) return opened
    const { parent, openParsed } = parse(core, record, tracing)
    return (
      envelope.tryOpen(core, parent.keyId, parent.created, openParsed) ?? envelope.open(core, parent, openParsed, call)
    )
  }
  const openNow = (core: Core, record: DataRowRecordInput): Uint8Array | undefined => {
    const tracing = isTraced(decryptTrace) ? nowTracing(core) : undefined
    const opened = tryOpen(core, record, tracing)
    if (opened !== undefined) return opened
    const { parent, openParsed } = parse(core, record, tracing)
    return envelope.tryOpen(core, parent.keyId, parent.created, tracing?.around(openParsed) ?? openParsed)
  }
  const nowTracing = ({ partitionId }: Core): OpenTracing => {
    const message: TraceContext = { partitionId }
    return {
      note: (key) => noteKey(message, key),
      around: (opener) => (key) => traceNow(decryptTrace, message, () => opener(key)),
    }
  }
  const openUniform: typeof open = async (core, record, call, tracing) => {
    try {
      return await open(core, record, call, tracing)
    } catch (error) {
      throw uniform(error)
    }
  }
  const openAny = context.uniformErrors ? openUniform : open
  const openTraced = (core: Core, record: DataRowRecordInput, call: Call): Promise<Uint8Array> => {
    if (!isTraced(decryptTrace)) return openAny(core, record, call)
    const message: TraceContext = { partitionId: core.partitionId }
    const tracing: OpenTracing = { note: (key) => noteKey(message, key), around: (opener) => opener }
    return trace(decryptTrace, message, () => openAny(core, record, call, tracing))
  }

  const decrypt = (core: Core, record: DataRowRecordInput, call: Call): Promise<Uint8Array> =>
    operations.run(() => openTraced(core, record, call))
  const encryptToJson = (core: Core, plaintext: Uint8Array, call: Call): Promise<string> =>
    leavesThread(plaintext) ? encryptOffThread(core, plaintext, call) : seal(core, plaintext, sealJson, call)
  const encryptOffThread = async (core: Core, plaintext: Uint8Array, call: Call): Promise<string> => {
    // The provider copies what it needs in this tick, so that a warm key needs no copy of ours.
    const isPlain = !isTraced(encryptTrace) && !mustBeCopied(plaintext)
    const begun = isPlain ? envelope.trySeal(core, plaintext, sealJsonAsync) : undefined
    return begun === undefined ? seal(core, plaintext, sealJsonAsync, call) : operations.track(begun)
  }

  const batch = createSessionBatch<Core>(envelope, crypto, limits, {
    encryptToJson: async (core, plaintext, call) =>
      trySeal(core, plaintext, sealJson, call) ?? encryptToJson(core, plaintext, call),
    decrypt,
    checkPlaintext: (plaintext) => checkPlaintext(plaintext, limits),
  })
  const run = <T>(call: Call, work: () => Promise<T>): Promise<T> =>
    operations.run(() => {
      checkCall(call)
      return work()
    })

  /** A class, since there is one for each session: its methods are made once. */
  class Core implements SessionCore, Partition {
    readonly ids: PartitionIds
    readonly keyCache: KeyCache
    readonly #ownsKeys: boolean
    lastParent: KeyMeta | undefined = undefined
    /** Of the key that the last two texts named: the next one likely names it too, and is then scanned in half the time. */
    template: DataRowTemplate | undefined = undefined
    lastCreated = 0

    constructor(ids: PartitionIds, keyCache: KeyCache, ownsKeys: boolean) {
      this.ids = ids
      this.keyCache = keyCache
      this.#ownsKeys = ownsKeys
    }
    get partitionId(): string {
      return this.ids.partitionId
    }
    tryEncrypt(plaintext: Uint8Array, call: Call): DataRowRecord | undefined {
      return trySeal(this, plaintext, sealRecord, call)
    }
    encrypt(plaintext: Uint8Array, call: Call): Promise<DataRowRecord> {
      return seal(this, plaintext, sealRecord, call)
    }
    tryEncryptToJson(plaintext: Uint8Array, call: Call): string | undefined {
      if (!leavesThread(plaintext)) return trySeal(this, plaintext, sealJson, call)
      accept(call)
      checkPlaintext(plaintext, limits)
      return undefined
    }
    encryptToJson(plaintext: Uint8Array, call: Call): Promise<string> {
      return encryptToJson(this, plaintext, call)
    }
    encryptMany(plaintexts: readonly Uint8Array[], call: Call): Promise<string[]> {
      return run(call, () => batch.encryptMany(this, plaintexts, call))
    }
    decryptMany(records: readonly DataRowRecordInput[], call: Call): Promise<Uint8Array[]> {
      return run(call, () => batch.decryptMany(this, records, call))
    }
    tryDecrypt(record: DataRowRecordInput, call: Call): Uint8Array | undefined {
      accept(call)
      return context.uniformErrors || isTraced(decryptTrace) ? undefined : tryOpen(this, record)
    }
    decrypt(record: DataRowRecordInput, call: Call): Promise<Uint8Array> {
      return decrypt(this, record, call)
    }
    encryptToJsonNow(plaintext: Uint8Array): string | undefined {
      operations.check()
      checkPlaintext(plaintext, limits)
      const bytes = mustBeCopied(plaintext) ? offHeapCopy(plaintext) : plaintext
      try {
        if (!isTraced(encryptTrace)) return envelope.trySeal(this, bytes, sealJson)
        return envelope.trySeal(this, bytes, (key, given, meta) => {
          const { keyId, created } = meta.parentKeyMeta
          const message = { partitionId: this.partitionId, size: given.byteLength, keyId, created }
          return traceNow(encryptTrace, message, () => sealJson(key, given, meta))
        })
      } finally {
        if (bytes !== plaintext) bytes.fill(0)
      }
    }
    decryptNow(record: DataRowRecordInput): Uint8Array | undefined {
      operations.check()
      try {
        return openNow(this, record)
      } catch (error) {
        throw context.uniformErrors ? uniform(error) : error
      }
    }
    loadKeysNow(source: BlockingKeySource, record: DataRowRecordInput | undefined): boolean {
      operations.check()
      try {
        return envelope.loadNow(this, record === undefined ? undefined : parse(this, record).parent, source)
      } catch (error) {
        throw context.uniformErrors && record !== undefined ? uniform(error) : error
      }
    }
    warm(call: Call): Promise<void> {
      return run(call, () => envelope.warm(this, call))
    }
    load(read: () => Promise<DataRowRecordInput | null | undefined>, call: Call): Promise<Uint8Array | undefined> {
      return run(call, async () => {
        const record = await read()
        return record === null || record === undefined ? undefined : openTraced(this, record, call)
      })
    }
    close(): void {
      if (this.#ownsKeys) this.keyCache.close()
    }
  }
  return (ids, keyCache, ownsKeys) => new Core(ids, keyCache, ownsKeys)
}

/** What tracing adds to a decrypt. */
interface OpenTracing {
  /** The key that the record names. */
  note(key: KeyMeta): void
  /** Something done around the moment when a row is opened. */
  around(opener: OpenRow): OpenRow
}

/** Tells those who trace a call which key it is about. */
function noteKey(message: TraceContext, { keyId, created }: KeyMeta): void {
  message.keyId = keyId
  message.created = created
}

/** What a session with `uniformErrors` says instead of this error. */
function uniform(error: unknown): unknown {
  if (!(error instanceof AsherahError) || !UNIFORM_CODES.includes(error.code)) return error
  if (channels.warning.hasSubscribers) {
    channels.warning.publish({ code: 'DECRYPT_FAILED', message: error.message, cause: error })
  }
  return new DecryptionError('the record cannot be decrypted in this session')
}

function textOpener(crypto: CryptoProvider, json: string, { spans }: ScannedDataRow): (key: KeyHandle) => Uint8Array {
  return (handle) => {
    if (crypto.decryptRowJson !== undefined) return crypto.decryptRowJson(handle, json, spans)
    const encryptedKey = decodeBase64Pooled(json.slice(spans[0], spans[1]), 'Key.Key')
    return openRow(crypto, handle, encryptedKey, decodeBase64Pooled(json.slice(spans[2], spans[3]), 'Data'))
  }
}
