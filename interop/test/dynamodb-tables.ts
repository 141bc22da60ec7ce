import { randomUUID } from 'node:crypto'
import { createDynamoDbMetastore, type DynamoDbMetastore } from '@asherah/metastore-dynamodb'
import type { AwsEndpoint } from '@asherah/testing/services'
import type { SharedStore } from './both-sides.ts'

/** Where every table of these tests is. */
export const region = 'us-west-2'

/** What a peer's AWS SDK needs. */
export function awsVariables({ credentials }: AwsEndpoint): Readonly<Record<string, string>> {
  return {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    AWS_EC2_METADATA_DISABLED: 'true',
  }
}

/** A new, empty table of DynamoDB Local. */
export async function newTable(
  { url, credentials }: AwsEndpoint,
  regionSuffix: boolean | string,
): Promise<{ readonly tableName: string; readonly metastore: DynamoDbMetastore }> {
  const tableName = `Interop-${randomUUID()}`
  const metastore = createDynamoDbMetastore({ tableName, region, endpoint: url, credentials, regionSuffix })
  await metastore.createTable({ deletionProtection: false })
  return { tableName, metastore }
}

/** One table, open on both sides at once. */
export async function sharedTable(endpoint: AwsEndpoint, regionSuffix: boolean): Promise<SharedStore> {
  const { tableName, metastore } = await newTable(endpoint, regionSuffix)
  return {
    metastore,
    openFields: { dynamoDb: { endpoint: endpoint.url, region, tableName, regionSuffix } },
    toPeer: async () => {},
    fromPeer: async () => {},
    close: () => metastore.close(),
  }
}
