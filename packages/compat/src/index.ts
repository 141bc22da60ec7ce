export type { Persistence } from '@asherah/core'
export {
  AdhocPersistence,
  type AdoMetastoreBuilder,
  AdoMetastoreImpl,
  type AwsCredentials,
  AwsKeyManagementServiceImpl,
  type AwsKmsBuilder,
  type DynamoDbMetastoreBuilder,
  DynamoDbMetastoreImpl,
  InMemoryMetastoreImpl,
  StaticKeyManagementServiceImpl,
} from './backends.ts'
export { AppEncryptionException, KmsException, MetadataMissingException } from './exceptions.ts'
export type { Logger, Metrics } from './observers.ts'
export {
  BasicExpiringCryptoPolicy,
  type CryptoPolicy,
  type CryptoPolicyBuildStep,
  type KeyExpirationDaysStep,
  NeverExpiredCryptoPolicy,
  type RevokeCheckMinutesStep,
  type RotationStrategy,
} from './policies.ts'
export {
  type BuildStep,
  type CryptoPolicyStep,
  type KeyManagementServiceStep,
  type MetastoreStep,
  type Session,
  SessionFactory,
} from './session-factory.ts'
