export { type AwsKms, createAwsKms } from './aws-kms.ts'
export type { KmsClientLike, SendOptions } from './client.ts'
export type {
  AwsKmsCommonOptions,
  AwsKmsOptions,
  AwsKmsRegionsOptions,
  AwsKmsSingleKeyOptions,
  PartialFailurePolicy,
} from './options.ts'
export { type KmsOperation, type KmsRegionEvent, kmsRegionChannel } from './region-events.ts'
