export { checkMetastore } from './check-metastore.ts'
export type { Cache, CacheFactory, CacheOptions, EvictReason } from './contracts/cache.ts'
export type { Call } from './contracts/call.ts'
export type { Clock } from './contracts/clock.ts'
export type { CryptoProvider, KeyHandle, PackedRows, RowMeta } from './contracts/crypto-provider.ts'
export type { KeyManagementService } from './contracts/key-management-service.ts'
export type { MaxKeyId, Metastore, MetastoreFinding, MetastoreReport } from './contracts/metastore.ts'
export type { Persistence } from './contracts/persistence.ts'
export type { Secret, SecretFactory } from './contracts/secret.ts'
export {
  type BasicExpiringPolicyOptions,
  basicExpiringPolicy,
  type CryptoPolicy,
  type CryptoPolicyOptions,
  createCryptoPolicy,
  neverExpiringPolicy,
} from './crypto-policy.ts'
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
export type { CacheStats, FactoryStats, RotationStats } from './factory-stats.ts'
export { lruCache } from './internal/lru-cache.ts'
export { parseDataRowRecord, type RecordLimits, serializeDataRowRecord } from './internal/record-codec.ts'
export { simpleCache } from './internal/simple-cache.ts'
export { adhocPersistence } from './persistence.ts'
export type { Session } from './session.ts'
export { type CloseOptions, SessionFactory, type SessionFactoryOptions } from './session-factory.ts'
export type { JsonValue, TypedSession } from './typed-session.ts'
export type {
  DataRowRecord,
  DataRowRecordFields,
  DataRowRecordInput,
  DataRowRecordJson,
  EnvelopeKeyRecord,
  KeyMeta,
} from './types.ts'
export type { WarmOptions, WarmOutcome } from './warm.ts'
