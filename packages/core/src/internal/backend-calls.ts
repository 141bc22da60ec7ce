import { isUint8Array } from 'node:util/types'
import { KEY_BYTES } from '../aes-256-gcm.ts'
import type { Call } from '../contracts/call.ts'
import type { KeyManagementService } from '../contracts/key-management-service.ts'
import type { Metastore } from '../contracts/metastore.ts'
import { channels, isTraced, trace } from '../diagnostics.ts'
import { AsherahError, DecryptionError, FutureKeyError, KmsError, MetastoreError } from '../errors.ts'
import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import { validateEnvelopeKeyRecord } from './record-codec.ts'
import { abortedError } from './single-flight.ts'

/** The metastore as core calls it: traced, its answers checked, its failures typed. */
export interface MetastoreCalls {
  /** The row of exactly this key, checked to be that, or null. */
  load(key: KeyMeta, call: Call): Promise<EnvelopeKeyRecord | null>
  /** The newest row not after `notAfter` (Unix seconds), or null. */
  loadLatest(keyId: string, notAfter: number, call: Call): Promise<EnvelopeKeyRecord | null>
  store(record: EnvelopeKeyRecord, call: Call): Promise<boolean>
}

/** Rows and system keys for a thread that cannot wait for a promise: each call blocks until it has its answer. */
export interface BlockingKeySource {
  /** The row of exactly this key, or null. */
  load(keyId: string, created: number): EnvelopeKeyRecord | null
  /** The newest row not after `notAfter` (Unix seconds), or null. */
  loadLatest(keyId: string, notAfter: number): EnvelopeKeyRecord | null
  /** The plaintext system key of a row, in memory of its own, which core wipes. */
  decryptKey(row: EnvelopeKeyRecord): Uint8Array
}

/** The KMS as core calls it. */
export interface KmsCalls {
  encryptKey(key: Uint8Array, meta: KeyMeta, call: Call): Promise<Uint8Array>
  decryptKey(record: EnvelopeKeyRecord, call: Call): Promise<Uint8Array>
}

/** Wraps a metastore. What it throws becomes a `MetastoreError`; errors of this library pass through. */
export function createMetastoreCalls(metastore: Metastore): MetastoreCalls {
  const { metastoreLoad, metastoreLoadLatest, metastoreStore } = channels.trace
  const failed = (what: string, keyId: string, cause: unknown, call: Call): unknown =>
    failureOf(call, cause, metastoreFailure(what, keyId))

  const load: MetastoreCalls['load'] = async (key, call) => {
    try {
      const row = await metastore.load(key.keyId, key.created, signalOf(call))
      return row === null ? null : validateEnvelopeKeyRecord(row, key)
    } catch (cause) {
      throw failed('load', key.keyId, cause, call)
    }
  }
  const loadLatest: MetastoreCalls['loadLatest'] = async (keyId, notAfter, call) => {
    try {
      const row = await metastore.loadLatest(keyId, { ...signalOf(call), notAfter })
      return row === null ? null : checkedLatest(row, keyId, notAfter)
    } catch (cause) {
      throw failed('load the latest', keyId, cause, call)
    }
  }
  const store: MetastoreCalls['store'] = async (record, call) => {
    try {
      const stored: unknown = await metastore.store(record.keyId, record.created, record, signalOf(call))
      if (typeof stored === 'boolean') return stored
      throw new TypeError(`store must return true (inserted) or false (already there), not ${typeof stored}`)
    } catch (cause) {
      throw failed('store', record.keyId, cause, call)
    }
  }

  return {
    load(key, call) {
      if (!isTraced(metastoreLoad)) return load(key, call)
      return trace(metastoreLoad, { keyId: key.keyId, created: key.created }, () => load(key, call))
    },
    loadLatest(keyId, notAfter, call) {
      if (!isTraced(metastoreLoadLatest)) return loadLatest(keyId, notAfter, call)
      return trace(metastoreLoadLatest, { keyId }, () => loadLatest(keyId, notAfter, call))
    },
    store(record, call) {
      if (!isTraced(metastoreStore)) return store(record, call)
      return trace(metastoreStore, { keyId: record.keyId, created: record.created }, () => store(record, call))
    },
  }
}

/** Wraps a KMS. What it throws becomes a `KmsError`, and so does a key of a wrong shape. */
export function createKmsCalls(kms: KeyManagementService): KmsCalls {
  const { kmsEncryptKey, kmsDecryptKey } = channels.trace
  return {
    encryptKey(key, meta, call) {
      const { keyId, created } = meta
      return trace(kmsEncryptKey, { keyId, created }, () =>
        guarded(call, kmsFailure('encrypt', keyId), async () => {
          const blob: unknown = await kms.encryptKey(key, { ...signalOf(call), key: { keyId, created } })
          if (!isUint8Array(blob) || blob.byteLength === 0) throw new TypeError('encryptKey must return bytes')
          return new Uint8Array(blob)
        }),
      )
    },
    decryptKey(record, call) {
      const { keyId, created, revoked } = record
      return trace(kmsDecryptKey, { keyId, created }, () =>
        guarded(call, kmsFailure('decrypt', keyId), async () => {
          const key: unknown = await kms.decryptKey(record.encryptedKey, {
            ...signalOf(call),
            key: { keyId, created },
            revoked,
          })
          return checkedKey(key)
        }),
      )
    },
  }
}

/** Wraps a blocking source: its answers checked and its failures typed, as those of the asynchronous calls are. */
export function checkedSource(source: BlockingKeySource): BlockingKeySource {
  const guardedNow = <T>(wrap: (why: { cause: unknown }) => Error, work: () => T): T => {
    try {
      return work()
    } catch (cause) {
      throw failureOf({}, cause, wrap)
    }
  }
  return {
    load: (keyId, created) =>
      guardedNow(metastoreFailure('load', keyId), () => {
        const row: unknown = source.load(keyId, created)
        return row === null ? null : validateEnvelopeKeyRecord(row, { keyId, created })
      }),
    loadLatest: (keyId, notAfter) =>
      guardedNow(metastoreFailure('load the latest', keyId), () => {
        const row: unknown = source.loadLatest(keyId, notAfter)
        return row === null ? null : checkedLatest(row, keyId, notAfter)
      }),
    decryptKey: (row) => guardedNow(kmsFailure('decrypt', row.keyId), () => checkedKey(source.decryptKey(row))),
  }
}

function metastoreFailure(what: string, keyId: string): (why: { cause: unknown }) => Error {
  return (why) => new MetastoreError(`the metastore could not ${what} ${JSON.stringify(keyId)}`, why)
}

function kmsFailure(what: string, keyId: string): (why: { cause: unknown }) => Error {
  return (why) => new KmsError(`the KMS could not ${what} system key ${JSON.stringify(keyId)}`, why)
}

/** @throws CorruptRecordError, FutureKeyError */
function checkedLatest(row: unknown, keyId: string, notAfter: number): EnvelopeKeyRecord {
  const latest = validateEnvelopeKeyRecord(row, { keyId })
  if (latest.created <= notAfter) return latest
  throw new FutureKeyError(
    `the latest key of ${JSON.stringify(keyId)} is dated ${isoTime(latest.created)}, beyond the allowed clock skew: ` +
      "check this machine's clock, and that the metastore honours notAfter",
  )
}

function checkedKey(key: unknown): Uint8Array {
  if (!isUint8Array(key)) throw new TypeError('decryptKey must return bytes')
  if (key.byteLength === KEY_BYTES) return key
  const length = key.byteLength
  key.fill(0)
  throw new TypeError(`decryptKey must return ${KEY_BYTES} bytes, not ${length}`)
}

/** What backends are given of a call: never the hierarchy's own options, and an object of their own. */
function signalOf({ signal }: Call): Call {
  return signal === undefined ? {} : { signal }
}

async function guarded<T>(call: Call, wrap: (why: { cause: unknown }) => Error, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw failureOf(call, cause, wrap)
  }
}

/** What a call that failed throws. */
function failureOf(call: Call, cause: unknown, wrap: (why: { cause: unknown }) => Error): unknown {
  if (call.signal?.aborted) return abortedError(call.signal)
  // A tag that fails inside the KMS's blob is the KMS's failure: DecryptionError is about records and their keys.
  return cause instanceof AsherahError && !(cause instanceof DecryptionError) ? cause : wrap({ cause })
}

function isoTime(created: number): string {
  const time = new Date(created * 1_000)
  return Number.isNaN(time.getTime()) ? `${created} s` : time.toISOString()
}
