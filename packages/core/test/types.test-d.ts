// Checked by `tsc`, never run: what must compile does, and each `@ts-expect-error` stands over what must not.
import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type AsherahError,
  type AsherahErrorCode,
  adhocPersistence,
  basicExpiringPolicy,
  type CryptoPolicy,
  type CryptoPolicyOptions,
  channels,
  createCryptoPolicy,
  type DataRowRecord,
  type DataRowRecordInput,
  type DataRowRecordJson,
  type JsonValue,
  type KeyManagementService,
  KeyNotFoundError,
  KmsError,
  lruCache,
  type Metastore,
  type neverExpiringPolicy,
  type Persistence,
  type parseDataRowRecord,
  type Session,
  SessionFactory,
  type SessionFactoryOptions,
  type serializeDataRowRecord,
  type TypedSession,
} from '../src/index.ts'

declare const metastore: Metastore
declare const kms: KeyManagementService
declare const bytes: Uint8Array
declare const factory: SessionFactory
declare const session: Session
declare const record: DataRowRecord
declare const policy: CryptoPolicy

const needed = { service: 's', product: 'p', metastore, kms }

/** Compiles only if both are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_same: Same<A, B>): void => {}

// Options.
new SessionFactory(needed)
new SessionFactory({ ...needed, policy: {}, recoveryRegionSuffixes: ['r1'] as const, strictIds: true })
new SessionFactory({ ...needed, policy: createCryptoPolicy() })
new SessionFactory({ ...needed, policy: { ...basicExpiringPolicy({ keyExpirationDays: 1, revokeCheckMinutes: 1 }) } })
// @ts-expect-error options are missing
new SessionFactory()
// @ts-expect-error the KMS is missing
new SessionFactory({ service: 's', product: 'p', metastore })
// @ts-expect-error an unknown option
new SessionFactory({ ...needed, polcy: {} })
// @ts-expect-error a policy's option in the wrong place
new SessionFactory({ ...needed, expireAfterMs: 1_000 })
// @ts-expect-error a name is text
new SessionFactory({ ...needed, service: 7 })
// @ts-expect-error undefined is not a value: exactOptionalPropertyTypes
new SessionFactory({ ...needed, policy: undefined })
// @ts-expect-error the metastore is not a promise of one
new SessionFactory({ ...needed, metastore: Promise.resolve(metastore) })
same<keyof SessionFactoryOptions & 'policy', 'policy'>(true)
declare const options: SessionFactoryOptions
// @ts-expect-error options are readonly
options.service = 'other'

// Policies.
const someOptions: CryptoPolicyOptions = {
  rotation: 'queued',
  sessionCache: lruCache(),
  expireAfterMs: Number.POSITIVE_INFINITY,
}
same<ReturnType<typeof createCryptoPolicy>, CryptoPolicy>(true)
same<ReturnType<typeof neverExpiringPolicy>, CryptoPolicyOptions>(true)
createCryptoPolicy(someOptions)
// @ts-expect-error a policy is readonly
policy.expireAfterMs = 1
// @ts-expect-error only two ways to rotate
createCryptoPolicy({ rotation: 'sometimes' })
// @ts-expect-error an unknown option
createCryptoPolicy({ expireAfter: 1_000 })
// @ts-expect-error a duration is a number
createCryptoPolicy({ expireAfterMs: '1d' })
// @ts-expect-error a cache is a factory, not a cache
createCryptoPolicy({ sessionCache: lruCache().create({ maxSize: 1, onEvict() {} }) })
// @ts-expect-error both are needed
basicExpiringPolicy({ keyExpirationDays: 1 })

// Sessions.
same<ReturnType<SessionFactory['getSession']>, Session>(true)
same<ReturnType<SessionFactory['getSessionBytes']>, TypedSession<Uint8Array, Uint8Array>>(true)
same<ReturnType<SessionFactory['getSessionJson']>, TypedSession<JsonValue, Uint8Array>>(true)
same<ReturnType<SessionFactory['getSessionBytesAsJson']>, TypedSession<Uint8Array, DataRowRecordJson>>(true)
same<ReturnType<SessionFactory['getSessionJsonAsJson']>, TypedSession<JsonValue, DataRowRecordJson>>(true)
// @ts-expect-error a partition is needed
factory.getSession()
// @ts-expect-error a partition is text
factory.getSession(7)
same<ReturnType<Session['encrypt']>, Promise<DataRowRecord>>(true)
same<ReturnType<Session['encryptToJson']>, Promise<string>>(true)
same<ReturnType<Session['decrypt']>, Promise<Uint8Array>>(true)
same<ReturnType<Session['load']>, Promise<Uint8Array | undefined>>(true)
session.encrypt(bytes, { signal: AbortSignal.timeout(1_000) })
session.encrypt(Buffer.from('x'))
// @ts-expect-error text is not encrypted as it is
session.encrypt('text')
// @ts-expect-error nor are values
session.encrypt({ a: 1 })
// @ts-expect-error nor is nothing
session.encrypt()
// @ts-expect-error nor is a buffer without a view
session.encrypt(new ArrayBuffer(3))
// @ts-expect-error an unknown option of a call
session.encrypt(bytes, { timeout: 5 })
// @ts-expect-error it is a getter
session.partitionId = 'other'
// @ts-expect-error it is a getter
session.closed = true

// Records.
const inputs: DataRowRecordInput[] = [
  record,
  record.toJSON(),
  JSON.stringify(record),
  bytes,
  structuredClone({ ...record }),
]
for (const input of inputs) session.decrypt(input)
session.decrypt({ key: record.key, data: record.data })
// @ts-expect-error it may be nothing at all
session.decrypt(undefined)
// @ts-expect-error wire form's bytes are base64
session.decrypt({ Key: record.key, Data: record.data })
// @ts-expect-error a record is readonly
record.data = bytes
// @ts-expect-error in depth
record.key.created = 1
// @ts-expect-error in depth
record.key.parentKeyMeta.keyId = 'other'
same<ReturnType<typeof parseDataRowRecord>, DataRowRecord>(true)
same<ReturnType<typeof serializeDataRowRecord>, string>(true)

// JSON sessions take values, and no more than values.
const json = factory.getSessionJson('p')
json.encrypt({ a: [1, 'b', null, { c: true }] })
json.encrypt('text')
// @ts-expect-error JSON has no undefined
json.encrypt(undefined)
// @ts-expect-error JSON has no functions
json.encrypt(() => 1)
// @ts-expect-error JSON has no bigint
json.encrypt({ a: 1n })
// @ts-expect-error its records are bytes
json.decrypt(record)

// Persistence.
declare const texts: Persistence<string>
declare const records: Persistence<DataRowRecord>
session.load('k', texts)
session.load('k', { load: async () => null })
session.store(bytes, records)
session.store('k', bytes, records)
session.store('k', bytes, { store: async (key, stored) => `${key}${stored.data.byteLength}` })
// @ts-expect-error a persistence of text cannot store records
session.store('k', bytes, texts)
// @ts-expect-error the persistence is missing
session.store('k', bytes)
// @ts-expect-error a payload is bytes
session.store('k', 'text', records)
// @ts-expect-error what it loads is a record
session.load('k', { load: async () => 7 })
const adhoc: Persistence<string> = adhocPersistence<string>(
  async (key) => key,
  async (_key, text) => void text.length,
)
session.load('k', adhoc)
// @ts-expect-error two functions
adhocPersistence<string>(async () => null)

// Lifetimes.
const disposable: Disposable = session
const typedDisposable: Disposable = json
const asyncDisposable: AsyncDisposable = factory
void [disposable, typedDisposable, asyncDisposable]
same<ReturnType<Session['close']>, void>(true)
same<ReturnType<SessionFactory['close']>, Promise<void>>(true)
factory.close({ timeoutMs: 5 })
// @ts-expect-error an unknown option
factory.close({ timeout: 5 })

// Errors: a literal code each, so that a switch can be checked.
declare const error: AsherahError | KmsError | KeyNotFoundError
const code: AsherahErrorCode = error.code
void code
same<KmsError['code'], 'ERR_ASHERAH_KMS'>(true)
same<KeyNotFoundError['created'], number>(true)
if (error.code === 'ERR_ASHERAH_KEY_NOT_FOUND' && error instanceof KeyNotFoundError) error.keyId.toUpperCase()
if (error instanceof KmsError) same<typeof error.errors, readonly unknown[]>(true)
// @ts-expect-error it is literal
if (error.code === 'ERR_ASHERAH_NONSENSE') void 0
// @ts-expect-error it is readonly
error.code = 'ERR_ASHERAH_KMS'

// Channels: messages have types; stores are the subscriber's own.
const spans = new AsyncLocalStorage<{ readonly span: string }>()
channels.trace.encrypt.start.bindStore(spans, ({ partitionId, size }) => ({
  span: `${partitionId} ${size?.toFixed()}`,
}))
channels.trace.kmsEncryptKey.subscribe({
  start({ keyId, created }) {
    void [keyId?.length, created?.toFixed()]
  },
  end() {},
  asyncStart() {},
  asyncEnd() {},
  error(message) {
    void message.error
  },
})
// @ts-expect-error an event has a type
channels.key.publish({ event: 'lost', keyId: 'x', created: 1 })
