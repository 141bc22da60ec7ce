import {
  type Call,
  type EnvelopeKeyRecord,
  InvalidInputError,
  type KeyMeta,
  type MaxKeyId,
  type Metastore,
  MetastoreError,
  type MetastoreReport,
} from '@asherah/core/backend'
import {
  ConditionalCheckFailedException,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { checkTable } from './check.ts'
import { type Attempt, createConnection } from './connection.ts'
import { type CreateTableOptions, createTable } from './create-table.ts'
import { sdkAttempts } from './failures.ts'
import { itemKey, toItem, toRecord } from './items.ts'
import { checkOptions, type DynamoDbMetastoreOptions } from './options.ts'
import { orderedRows } from './ordered-rows.ts'

/** A {@link Metastore} in one DynamoDB table, with every optional capability. */
export interface DynamoDbMetastore extends Metastore {
  /** DynamoDB's limit for a partition key. */
  readonly maxKeyId: MaxKeyId
  /**
   * Every row, by the bytes of its id, then by `created`. DynamoDB cannot sort over partitions: the whole table is read
   * once for each `listBatchRows` rows in it.
   */
  list(options?: Call & { readonly after?: KeyMeta }): AsyncIterable<EnvelopeKeyRecord>
  markRevoked(keyId: string, created: number, options?: Call): Promise<boolean>
  /** Describes the table and reads every row once; writes nothing. */
  check(options?: Call & { readonly keyId?: string }): Promise<MetastoreReport>
  /**
   * Makes the table, on demand and protected against deletion, and waits until it can be used.
   *
   * @returns false: it is there already, and was left as it is.
   */
  createTable(options?: Call & CreateTableOptions): Promise<boolean>
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const MAX_KEY_ID: MaxKeyId = { unit: 'bytes', length: 2_048 }
const LONE_SURROGATE = /\p{Surrogate}/u

/**
 * A metastore in a DynamoDB table, on AWS SDK v3; the table is the one that the Go, Java, C# and Rust Asherah use.
 *
 * Reads are strongly consistent. Throttled and failed requests are tried again within a budget; what DynamoDB says in the
 * end is a `MetastoreError`, whose `cause` is the SDK's error. Nothing is written to `process.env`.
 *
 * @throws InvalidConfigError for an unknown or bad option, and for `regionSuffix: true` without a region.
 * @example
 * const metastore = createDynamoDbMetastore({ region: 'eu-west-1', regionSuffix: true })
 */
export function createDynamoDbMetastore(options: DynamoDbMetastoreOptions = {}): DynamoDbMetastore {
  const settings = checkOptions(options)
  const connection = createConnection(settings)
  const close = (): Promise<void> => connection.close()

  const readRow = async (key: KeyMeta, { client, tableName, options }: Attempt): Promise<EnvelopeKeyRecord | null> => {
    const command = new GetItemCommand({ TableName: tableName, Key: itemKey(key), ConsistentRead: true })
    const { Item } = await client.send(command, options)
    return Item === undefined ? null : toRecord(Item, key)
  }

  const metastore: DynamoDbMetastore = {
    ...(settings.regionSuffix === undefined ? {} : { regionSuffix: settings.regionSuffix }),
    maxKeyId: MAX_KEY_ID,

    async load(keyId, created, call) {
      checkKey({ keyId, created })
      return connection.request('load', call, (attempt) => readRow({ keyId, created }, attempt))
    },

    async loadLatest(keyId, call) {
      checkKeyId(keyId)
      const notAfter = secondsOf(call?.notAfter)
      const { Items } = await connection.request('loadLatest', call, ({ client, tableName, options }) =>
        client.send(
          new QueryCommand({
            TableName: tableName,
            ...(notAfter === undefined
              ? { KeyConditionExpression: 'Id = :id', ExpressionAttributeValues: { ':id': { S: keyId } } }
              : {
                  KeyConditionExpression: 'Id = :id AND Created <= :notAfter',
                  ExpressionAttributeValues: { ':id': { S: keyId }, ':notAfter': { N: String(notAfter) } },
                }),
            ConsistentRead: true,
            ScanIndexForward: false,
            Limit: 1,
          }),
          options,
        ),
      )
      if (Items === undefined) throw new MetastoreError('DynamoDB loadLatest: the answer is not one of Query')
      const [item] = Items
      return item === undefined ? null : toRecord(item, { keyId })
    },

    async store(keyId, created, record, call) {
      const item = toItem(record)
      checkKey({ keyId, created })
      if (record.keyId !== keyId || record.created !== created) {
        throw new InvalidInputError("keyId and created must be the record's own")
      }
      return connection.request('store', call, async (attempt) => {
        const { client, tableName, options, number } = attempt
        try {
          const command = { TableName: tableName, Item: item, ConditionExpression: 'attribute_not_exists(Id)' }
          await client.send(new PutItemCommand(command), options)
          return true
        } catch (error) {
          if (!(error instanceof ConditionalCheckFailedException)) throw error
          if (number === 1 && sdkAttempts(error) <= 1) return false
        }
        // An answer that was lost is no sign that the put was: the row there may be this call's own.
        const found = await readRow({ keyId, created }, attempt)
        if (found === null) throw new MetastoreError('DynamoDB store: the row was there, and is no longer')
        return Buffer.compare(found.encryptedKey, record.encryptedKey) === 0
      })
    },

    async *list(call) {
      if (call?.after !== undefined) checkKey(call.after)
      for await (const item of orderedRows(connection, settings.listBatchRows, call)) yield toRecord(item)
    },

    async markRevoked(keyId, created, call) {
      checkKey({ keyId, created })
      return connection.request('markRevoked', call, async (attempt) => {
        const { client, tableName, options } = attempt
        try {
          await client.send(
            new UpdateItemCommand({
              TableName: tableName,
              Key: itemKey({ keyId, created }),
              UpdateExpression: 'SET KeyRecord.Revoked = :true',
              ConditionExpression: 'attribute_type(KeyRecord, :map)',
              ExpressionAttributeValues: { ':true': { BOOL: true }, ':map': { S: 'M' } },
            }),
            options,
          )
          return true
        } catch (error) {
          if (!(error instanceof ConditionalCheckFailedException)) throw error
        }
        // No row, or one without a map of the key: that one is corrupt, and reading it says so.
        return (await readRow({ keyId, created }, attempt)) !== null
      })
    },

    check: (call) => checkTable(metastore, connection, settings, call),
    createTable: (call) => createTable(connection, call),
    close,
    [Symbol.asyncDispose]: close,
  }
  return metastore
}

/** Whole seconds that DynamoDB's numbers can hold. */
function secondsOf(notAfter: number | undefined): number | undefined {
  if (notAfter === undefined) return undefined
  if (!Number.isFinite(notAfter)) throw new InvalidInputError('notAfter must be Unix seconds')
  return Math.min(Math.max(Math.floor(notAfter), 0), Number.MAX_SAFE_INTEGER)
}

function checkKey({ keyId, created }: KeyMeta): void {
  checkKeyId(keyId)
  if (!Number.isSafeInteger(created) || created < 1) {
    throw new InvalidInputError('created must be a whole number of Unix seconds, 1 or more')
  }
}

function checkKeyId(keyId: unknown): void {
  if (typeof keyId !== 'string' || keyId === '' || LONE_SURROGATE.test(keyId)) {
    throw new InvalidInputError('a key id must be non-empty, well-formed text')
  }
  const bytes = Buffer.byteLength(keyId)
  if (bytes > MAX_KEY_ID.length) {
    throw new InvalidInputError(`a key id in DynamoDB has at most ${MAX_KEY_ID.length} bytes, not ${bytes}`)
  }
}
