import { isUint8Array } from 'node:util/types'
import type { Call } from '../contracts/call.ts'
import type { CryptoProvider, KeyHandle } from '../contracts/crypto-provider.ts'
import { channels, isTraced, trace, traceNow } from '../diagnostics.ts'
import { AsherahError, type AsherahErrorCode, DecryptionError } from '../errors.ts'
import type { DataRowRecord, DataRowRecordInput, KeyMeta } from '../types.ts'
import { offHeapCopy } from './bytes.ts'
import { type Envelope, type OpenRow, openRow, type SealRow } from './envelope.ts'
import type { KeyLevel } from './key-level.ts'
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

/** What the sessions of one partition share. */
export interface SessionCoreContext {
  readonly partitionId: string
  readonly envelope: Envelope
  /** This session's own intermediate keys, wiped with it; undefined: they are the factory's. */
  readonly ownKeys: KeyLevel | undefined
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
  encryptMany(plaintexts: readonly Uint8Array[], call: Call): Promise<string[]>
  decryptMany(records: readonly DataRowRecordInput[], call: Call): Promise<Uint8Array[]>
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

/** Makes the core of a partition's sessions. */
export function createSessionCore(context: SessionCoreContext): SessionCore {
  const { partitionId, envelope, crypto, operations, limits } = context
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
  const trySeal = <T>(plaintext: Uint8Array, form: SealRow<T>, call: Call): T | undefined => {
    accept(call)
    checkPlaintext(plaintext, limits)
    if (isTraced(encryptTrace) || mustBeCopied(plaintext)) return undefined
    return envelope.trySeal(plaintext, form)
  }
  const seal = async <T>(plaintext: Uint8Array, form: SealRow<T>, call: Call): Promise<Awaited<T>> => {
    // The caller may change the bytes while a key is loaded; what was there at the call is encrypted.
    const snapshot = offHeapCopy(plaintext)
    try {
      checkPlaintext(snapshot, limits) // shared memory may have grown since the call
      return await operations.run(() =>
        trace(encryptTrace, { partitionId, size: snapshot.byteLength }, () => envelope.seal(snapshot, form, call)),
      )
    } finally {
      snapshot.fill(0)
    }
  }

  /** Of the key that the last two texts named: the next one likely names it too, and is then scanned in half the time. */
  let template: DataRowTemplate | undefined
  let lastCreated = 0
  const remember = ({ parentKeyId: keyId, parentCreated: created }: ScannedDataRow): void => {
    if (created === template?.parentKeyMeta.created && keyId === template.parentKeyMeta.keyId) return
    if (created === lastCreated) template = createDataRowTemplate({ keyId, created })
    lastCreated = created
  }
  const tryOpenText = (json: string, around?: AroundOpen): Uint8Array | undefined => {
    const scanned = scanDataRowRecord(json, limits, template)
    if (scanned === undefined) return undefined
    envelope.checkPartition(scanned.parentKeyId)
    remember(scanned)
    const opener = textOpener(crypto, json, scanned)
    return envelope.tryOpen(scanned.parentKeyId, scanned.parentCreated, around === undefined ? opener : around(opener))
  }
  /** Undefined: a key must be loaded, or the text is not of the common form. */
  const tryOpen = (record: DataRowRecordInput, around?: AroundOpen): Uint8Array | undefined => {
    if (typeof record === 'string') return tryOpenText(record, around)
    return isUint8Array(record) ? tryOpenText(decodeDataRowRecordText(record, limits), around) : undefined
  }
  /** The whole record is checked before any key is loaded. */
  const parse = (record: DataRowRecordInput): { parent: KeyMeta; openParsed: OpenRow } => {
    const { key, data } = parseDataRowRecord(record, limits)
    envelope.checkPartition(key.parentKeyMeta.keyId)
    return { parent: key.parentKeyMeta, openParsed: (handle) => openRow(crypto, handle, key.encryptedKey, data) }
  }
  const open = async (record: DataRowRecordInput, call: Call): Promise<Uint8Array> => {
    checkCall(call)
    const opened = tryOpen(record)
    if (opened !== undefined) return opened
    const { parent, openParsed } = parse(record)
    return envelope.tryOpen(parent.keyId, parent.created, openParsed) ?? envelope.open(parent, openParsed, call)
  }
  const openNow = (record: DataRowRecordInput): Uint8Array | undefined => {
    const around: AroundOpen = (opener) => (key) => traceNow(decryptTrace, { partitionId }, () => opener(key))
    const opened = tryOpen(record, around)
    if (opened !== undefined) return opened
    const { parent, openParsed } = parse(record)
    return envelope.tryOpen(parent.keyId, parent.created, around(openParsed))
  }
  const openUniform = async (record: DataRowRecordInput, call: Call): Promise<Uint8Array> => {
    try {
      return await open(record, call)
    } catch (error) {
      throw uniform(error)
    }
  }
  const openTraced = (record: DataRowRecordInput, call: Call): Promise<Uint8Array> =>
    trace(decryptTrace, { partitionId }, () => (context.uniformErrors ? openUniform : open)(record, call))

  const decrypt = (record: DataRowRecordInput, call: Call): Promise<Uint8Array> =>
    operations.run(() => openTraced(record, call))
  const encryptToJson = async (plaintext: Uint8Array, call: Call): Promise<string> => {
    if (!leavesThread(plaintext)) return seal(plaintext, sealJson, call)
    // The provider copies what it needs in this tick, so that a warm key needs no copy of ours.
    const isPlain = !isTraced(encryptTrace) && !mustBeCopied(plaintext)
    const begun = isPlain ? envelope.trySeal(plaintext, sealJsonAsync) : undefined
    return begun === undefined ? seal(plaintext, sealJsonAsync, call) : operations.track(begun)
  }

  const batch = createSessionBatch(envelope, crypto, limits, {
    encryptToJson: async (plaintext, call) => trySeal(plaintext, sealJson, call) ?? encryptToJson(plaintext, call),
    decrypt,
    checkPlaintext: (plaintext) => checkPlaintext(plaintext, limits),
  })
  const many = <T>(call: Call, work: () => Promise<T>): Promise<T> =>
    operations.run(() => {
      checkCall(call)
      return work()
    })

  return {
    partitionId,
    tryEncrypt: (plaintext, call) => trySeal(plaintext, sealRecord, call),
    encrypt: (plaintext, call) => seal(plaintext, sealRecord, call),
    tryEncryptToJson(plaintext, call) {
      if (!leavesThread(plaintext)) return trySeal(plaintext, sealJson, call)
      accept(call)
      checkPlaintext(plaintext, limits)
      return undefined
    },
    encryptToJson,
    encryptMany: (plaintexts, call) => many(call, () => batch.encryptMany(plaintexts, call)),
    decryptMany: (records, call) => many(call, () => batch.decryptMany(records, call)),
    tryDecrypt(record, call) {
      accept(call)
      return context.uniformErrors || isTraced(decryptTrace) ? undefined : tryOpen(record)
    },
    decrypt,
    encryptToJsonNow(plaintext) {
      operations.check()
      checkPlaintext(plaintext, limits)
      const bytes = mustBeCopied(plaintext) ? offHeapCopy(plaintext) : plaintext
      try {
        return envelope.trySeal(bytes, (key, given, meta) =>
          traceNow(encryptTrace, { partitionId, size: given.byteLength }, () => sealJson(key, given, meta)),
        )
      } finally {
        if (bytes !== plaintext) bytes.fill(0)
      }
    },
    decryptNow(record) {
      operations.check()
      try {
        return openNow(record)
      } catch (error) {
        throw context.uniformErrors ? uniform(error) : error
      }
    },
    load: (read, call) =>
      operations.run(async () => {
        checkCall(call)
        const record = await read()
        return record === null || record === undefined ? undefined : openTraced(record, call)
      }),
    close() {
      context.ownKeys?.cache.close()
    },
  }
}

/** Something done around the moment when a row is opened. */
type AroundOpen = (opener: OpenRow) => OpenRow

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
