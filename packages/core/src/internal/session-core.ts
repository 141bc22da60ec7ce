import { isSharedArrayBuffer, isUint8Array } from 'node:util/types'
import type { Call } from '../contracts/call.ts'
import type { CryptoProvider, KeyHandle } from '../contracts/crypto-provider.ts'
import { channels, isTraced, trace } from '../diagnostics.ts'
import { AsherahError, type AsherahErrorCode, DecryptionError, InvalidInputError } from '../errors.ts'
import type { DataRowRecord, DataRowRecordInput, KeyMeta } from '../types.ts'
import { type Envelope, openRow, type SealRow } from './envelope.ts'
import type { KeyLevel } from './key-level.ts'
import type { Operations } from './operations.ts'
import {
  createDataRowRecord,
  decodeBase64,
  decodeDataRowRecordText,
  parseDataRowRecord,
  type RecordLimits,
  type ScannedDataRow,
  scanDataRowRecord,
} from './record-codec.ts'
import { checkNotAborted } from './single-flight.ts'

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

/** Encrypts and decrypts for one partition, for one session or for all that share it. */
export interface SessionCore {
  readonly partitionId: string
  encrypt(plaintext: Uint8Array, call: Call): Promise<DataRowRecord>
  encryptToJson(plaintext: Uint8Array, call: Call): Promise<string>
  decrypt(record: DataRowRecordInput, call: Call): Promise<Uint8Array>
  /** Wipes the session's own keys; those in use, when their operation ends. */
  close(): void
}

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

  const sealRecord = (plaintext: Uint8Array): SealRow<DataRowRecord> => {
    return (key, { created, parentKeyMeta }) => {
      const { encryptedKey, data } = crypto.encryptRow(key, plaintext)
      return createDataRowRecord({ key: { created, encryptedKey, parentKeyMeta }, data })
    }
  }
  const sealJson = (plaintext: Uint8Array): SealRow<string> => {
    return (key, meta) => {
      if (crypto.encryptRowJson !== undefined) return crypto.encryptRowJson(key, plaintext, meta)
      return JSON.stringify(sealRecord(plaintext)(key, meta))
    }
  }

  const sealTraced = async <T>(
    plaintext: Uint8Array,
    form: (plaintext: Uint8Array) => SealRow<T>,
    call: Call,
  ): Promise<T> => {
    const sealed = envelope.trySeal(form(plaintext))
    if (sealed !== undefined) return sealed.value
    return operations.run(async () => {
      // The caller may change his bytes while a key is loaded; what was there when he called is encrypted.
      const snapshot = new Uint8Array(plaintext)
      try {
        return await envelope.seal(form(snapshot), call)
      } finally {
        snapshot.fill(0)
      }
    })
  }
  const seal = async <T>(input: Uint8Array, form: (plaintext: Uint8Array) => SealRow<T>, call: Call): Promise<T> => {
    operations.check()
    checkNotAborted(call.signal)
    const plaintext = checkPlaintext(input, limits)
    if (!isTraced(encryptTrace)) return sealTraced(plaintext, form, call)
    return trace(encryptTrace, { partitionId, size: plaintext.byteLength }, () => sealTraced(plaintext, form, call))
  }

  const openText = async (json: string, call: Call): Promise<Uint8Array> => {
    const scanned = scanDataRowRecord(json, limits)
    if (scanned === undefined) return openRecord(parseDataRowRecord(json, limits), call)
    envelope.checkPartition(scanned.parentKeyId)
    const open = textOpener(crypto, json, scanned)
    const plaintext = envelope.tryOpen(scanned.parentKeyId, scanned.parentCreated, open)
    if (plaintext !== undefined) return plaintext
    return openCold({ keyId: scanned.parentKeyId, created: scanned.parentCreated }, open, call)
  }
  const openRecord = async ({ key, data }: DataRowRecord, call: Call): Promise<Uint8Array> => {
    const { keyId, created } = key.parentKeyMeta
    envelope.checkPartition(keyId)
    const open = (handle: KeyHandle): Uint8Array => openRow(crypto, handle, key.encryptedKey, data)
    return envelope.tryOpen(keyId, created, open) ?? openCold({ keyId, created }, open, call)
  }
  const openCold = (parent: KeyMeta, open: (key: KeyHandle) => Uint8Array, call: Call): Promise<Uint8Array> =>
    operations.run(() => envelope.open(parent, open, call))

  const open = async (record: DataRowRecordInput, call: Call): Promise<Uint8Array> => {
    operations.check()
    checkNotAborted(call.signal)
    if (typeof record === 'string') return openText(record, call)
    if (isUint8Array(record)) return openText(decodeDataRowRecordText(record, limits), call)
    return openRecord(parseDataRowRecord(record, limits), call)
  }
  const openUniform = async (record: DataRowRecordInput, call: Call): Promise<Uint8Array> => {
    try {
      return await open(record, call)
    } catch (error) {
      if (!(error instanceof AsherahError) || !UNIFORM_CODES.includes(error.code)) throw error
      if (channels.warning.hasSubscribers) {
        channels.warning.publish({ code: 'DECRYPT_FAILED', message: error.message, cause: error })
      }
      throw new DecryptionError('the record cannot be decrypted in this session')
    }
  }
  const decrypt = context.uniformErrors ? openUniform : open

  return {
    partitionId,
    encrypt: (plaintext, call) => seal(plaintext, sealRecord, call),
    encryptToJson: (plaintext, call) => seal(plaintext, sealJson, call),
    decrypt(record, call) {
      if (!isTraced(decryptTrace)) return decrypt(record, call)
      return trace(decryptTrace, { partitionId }, () => decrypt(record, call))
    },
    close() {
      context.ownKeys?.cache.close()
    },
  }
}

function textOpener(crypto: CryptoProvider, json: string, { spans }: ScannedDataRow): (key: KeyHandle) => Uint8Array {
  return (handle) => {
    if (crypto.decryptRowJson !== undefined) return crypto.decryptRowJson(handle, json, spans)
    const encryptedKey = decodeBase64(json.slice(spans[0], spans[1]), 'Key.Key')
    return openRow(crypto, handle, encryptedKey, decodeBase64(json.slice(spans[2], spans[3]), 'Data'))
  }
}

/** The exact bytes to encrypt. Shared memory is copied: another thread could change it meanwhile. */
function checkPlaintext(plaintext: unknown, limits: RecordLimits): Uint8Array {
  if (!isUint8Array(plaintext)) {
    const kind = plaintext === null ? 'null' : typeof plaintext
    throw new InvalidInputError(`a plaintext is a Uint8Array, not ${kind}: encode text as UTF-8, values as JSON`)
  }
  const { byteLength } = plaintext
  if (byteLength > limits.maxPlaintextBytes) {
    throw new InvalidInputError(
      `the plaintext has ${byteLength} bytes; the limit maxPlaintextBytes is ${limits.maxPlaintextBytes}: ` +
        'encrypt larger data as a stream of chunks',
    )
  }
  return isSharedArrayBuffer(plaintext.buffer) ? new Uint8Array(plaintext) : plaintext
}
