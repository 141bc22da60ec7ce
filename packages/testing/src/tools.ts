export { createFakeClock, type FakeClock, type FakeClockOptions } from './fake-clock.ts'
export { createKmsFaults, faultyKms, type KmsFaults } from './faulty-kms.ts'
export {
  createMetastoreFaults,
  faultyMetastore,
  type MetastoreFaults,
  type MetastoreFaultsOptions,
} from './faulty-metastore.ts'
export type { FailureOptions, FaultSelector, Hold, MethodFaults } from './method-faults.ts'
export {
  SEEDED_ACCOUNT,
  SEEDED_MASTER_KEY,
  SEEDED_MASTER_KEY_BASE64,
  SEEDED_MASTER_KEY_HEX,
  SEEDED_PLAINTEXT,
  SEEDED_SECRET,
} from './seeded-markers.ts'
export {
  type AwsVectorKms,
  type KmsVariantVectors,
  loadVectors,
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
} from './vectors.ts'
