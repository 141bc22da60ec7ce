export type { CreateTableOptions } from './create-table.ts'
export { createDynamoDbMetastore, type DynamoDbMetastore } from './dynamodb-metastore.ts'
export type { DynamoDbClientLike, DynamoDbMetastoreOptions } from './options.ts'
