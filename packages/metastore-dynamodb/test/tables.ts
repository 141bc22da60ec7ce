import { randomUUID } from 'node:crypto'
import type { AwsEndpoint } from '@asherah/testing/services'
import {
  type AttributeValue,
  DeleteTableCommand,
  DynamoDBClient,
  PutItemCommand,
  ScanCommand,
} from '@aws-sdk/client-dynamodb'
import { createDynamoDbMetastore, type DynamoDbMetastore, type DynamoDbMetastoreOptions } from '../src/index.ts'

/** A fresh table of a stand-in, and what the tests do to it behind the metastore's back. */
export interface TestTable {
  readonly tableName: string
  readonly region: string
  readonly client: DynamoDBClient
  /** A metastore of the table; more options on top. */
  metastore(options?: Partial<DynamoDbMetastoreOptions>): DynamoDbMetastore
  put(item: Record<string, AttributeValue>): Promise<void>
  items(): Promise<Record<string, AttributeValue>[]>
  drop(): Promise<void>
}

/** Makes a table of its own name, or of the given one. */
export async function createTable(
  { url, credentials }: AwsEndpoint,
  { region = 'eu-west-1', tableName = `Keys-${randomUUID()}` }: { region?: string; tableName?: string } = {},
): Promise<TestTable> {
  const client = new DynamoDBClient({ endpoint: url, credentials, region })
  const table: TestTable = {
    tableName,
    region,
    client,
    metastore: (options) => createDynamoDbMetastore({ tableName, region, endpoint: url, credentials, ...options }),
    put: async (item) => void (await client.send(new PutItemCommand({ TableName: tableName, Item: item }))),
    items: async () => (await client.send(new ScanCommand({ TableName: tableName }))).Items ?? [],
    async drop() {
      await client.send(new DeleteTableCommand({ TableName: tableName }))
      client.destroy()
    },
  }
  await using metastore = table.metastore()
  await metastore.createTable({ deletionProtection: false })
  return table
}

/** What a JSON body is in DynamoDB's form. A text that cannot be one, for want of JSON or of distinct names, stays text. */
export function attributeOfBody(text: string): AttributeValue {
  const keys = text.match(/"Key":"/g) ?? []
  if (keys.length > 1) return { S: text }
  try {
    return attributeOf(JSON.parse(text))
  } catch {
    return { S: text }
  }
}

function attributeOf(value: unknown): AttributeValue {
  if (typeof value === 'string') return { S: value }
  if (typeof value === 'number') return { N: String(value) }
  if (typeof value === 'boolean') return { BOOL: value }
  if (Array.isArray(value)) return { L: value.map(attributeOf) }
  if (value === null || typeof value !== 'object') return { NULL: true }
  return { M: Object.fromEntries(Object.entries(value).map(([name, member]) => [name, attributeOf(member)])) }
}
