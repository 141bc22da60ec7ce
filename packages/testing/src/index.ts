export { type CacheConformanceOptions, cacheConformance } from './cache/cache-conformance.ts'
export { type CacheModel, type CacheModelTestOptions, cacheModelTest } from './cache/cache-model.ts'
export {
  type CryptoProviderConformanceOptions,
  cryptoProviderConformance,
} from './crypto/crypto-provider-conformance.ts'
export type { CryptoCapability } from './crypto/crypto-subject.ts'
export { type KmsConformanceOptions, kmsConformance } from './kms/kms-conformance.ts'
export { type MetastoreConformanceOptions, metastoreConformance } from './metastore/metastore-conformance.ts'
export type { MetastoreCapability } from './metastore/subject.ts'
export type { SecretCapability } from './secrets/secret-checks.ts'
export { type SecretFactoryConformanceOptions, secretFactoryConformance } from './secrets/secret-factory-conformance.ts'
export { describeService } from './services/describe-service.ts'
export type { Running, Service } from './services/service.ts'
export { type SqlFaultLimits, type SqlFaultOptions, sqlFaults } from './services/sql-faults.ts'
export type { SqlServer, SqlServerProcess } from './services/sql-service.ts'
export {
  type AwsVectorKms,
  createFakeClock,
  createKmsFaults,
  createMetastoreFaults,
  type FailureOptions,
  type FakeClock,
  type FakeClockOptions,
  type FaultSelector,
  faultyKms,
  faultyMetastore,
  type Hold,
  type KmsFaults,
  type KmsVariantVectors,
  loadVectors,
  type MetastoreFaults,
  type MetastoreFaultsOptions,
  type MethodFaults,
  type MultiRegionVectors,
  type StaticVectorKms,
  type VariantVectors,
  type VectorCase,
  type VectorFile,
  type VectorHeader,
  type VectorImplementation,
  type VectorKms,
  type VectorOutcome,
  type VectorRow,
  type Vectors,
} from './tools.ts'
