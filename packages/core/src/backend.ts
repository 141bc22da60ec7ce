export { openAes256Gcm, sealAes256Gcm } from './aes-256-gcm.ts'
export type { Cache, CacheFactory, CacheOptions, EvictReason } from './contracts/cache.ts'
export type { Call } from './contracts/call.ts'
export type { Clock } from './contracts/clock.ts'
export type { CryptoProvider, KeyHandle, PackedRows, RowMeta } from './contracts/crypto-provider.ts'
export type { KeyManagementService } from './contracts/key-management-service.ts'
export type { MaxKeyId, Metastore, MetastoreFinding, MetastoreReport } from './contracts/metastore.ts'
export type { Persistence } from './contracts/persistence.ts'
export type { Secret, SecretFactory } from './contracts/secret.ts'
export {
  type CacheEvent,
  channels,
  type EventChannel,
  type KeyEvent,
  type TraceChannel,
  type TraceChannels,
  type TraceContext,
  type TraceListeners,
  type TracePhase,
  type WarningEvent,
} from './diagnostics.ts'
export {
  AbortedError,
  AsherahError,
  type AsherahErrorCode,
  ClosedError,
  CorruptRecordError,
  DecryptionError,
  FutureKeyError,
  InvalidConfigError,
  InvalidInputError,
  KeyNotFoundError,
  KmsError,
  MetastoreError,
  SecureMemoryError,
  WrongPartitionError,
} from './errors.ts'
export type { BlockingKeySource } from './internal/backend-calls.ts'
export { offHeapBytes, offHeapCopy } from './internal/bytes.ts'
export { DeadlineError, withDeadline } from './internal/deadline.ts'
export { createHeapSecrets } from './internal/heap-secrets.ts'
export { lruCache } from './internal/lru-cache.ts'
export { decodeHexKey, isHexKey, MASTER_KEY_BYTES, publicTestKey, weaknessOf } from './internal/master-key.ts'
export { createNodeCrypto, type NodeCryptoOptions } from './internal/node-crypto.ts'
export { checkKnownOptions, nearestName } from './internal/options.ts'
export {
  type AskedKey,
  decodeBase64,
  encodeBase64,
  parseEnvelopeKeyRecord,
  serializeEnvelopeKeyRecord,
  validateEnvelopeKeyRecord,
} from './internal/record-codec.ts'
export { simpleCache } from './internal/simple-cache.ts'
export { checkNotAborted } from './internal/single-flight.ts'
export { redactAccounts, withoutAccounts } from './internal/without-accounts.ts'
export { loadKeysNow, type Session } from './session.ts'
export type {
  DataRowRecord,
  DataRowRecordFields,
  DataRowRecordInput,
  DataRowRecordJson,
  EnvelopeKeyRecord,
  KeyMeta,
} from './types.ts'
