import { performance } from 'node:perf_hooks'
import { type Call, checkKnownOptions, InvalidConfigError, MetastoreError } from '@asherah/core/backend'
import { CreateTableCommand, DescribeTableCommand, ResourceInUseException } from '@aws-sdk/client-dynamodb'
import type { Connection } from './connection.ts'
import { sleep } from './sleep.ts'

/** Options of `createTable`. */
export interface CreateTableOptions {
  /** Whether AWS refuses to delete the table until this is turned off. Default true. */
  readonly deletionProtection?: boolean
  /** Default none. */
  readonly tags?: Readonly<Record<string, string>>
}

const POLL_MS = 500
const READY_TIMEOUT_MS = 120_000

/** Makes the table and waits until it is `ACTIVE`; false when there was one. */
export async function createTable(
  connection: Connection,
  options: (Call & CreateTableOptions) | undefined = {},
): Promise<boolean> {
  checkKnownOptions('createTable', options, ['signal', 'deletionProtection', 'tags'])
  const { deletionProtection = true, tags = {} } = options
  if (typeof deletionProtection !== 'boolean') throw new InvalidConfigError('deletionProtection must be true or false')
  const created = await connection.request('createTable', options, async ({ client, tableName, options: send }) => {
    try {
      await client.send(
        new CreateTableCommand({
          TableName: tableName,
          AttributeDefinitions: [
            { AttributeName: 'Id', AttributeType: 'S' },
            { AttributeName: 'Created', AttributeType: 'N' },
          ],
          KeySchema: [
            { AttributeName: 'Id', KeyType: 'HASH' },
            { AttributeName: 'Created', KeyType: 'RANGE' },
          ],
          BillingMode: 'PAY_PER_REQUEST',
          ...(deletionProtection ? { DeletionProtectionEnabled: true } : {}),
          ...(Object.keys(tags).length === 0
            ? {}
            : { Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) }),
        }),
        send,
      )
      return true
    } catch (error) {
      if (error instanceof ResourceInUseException) return false
      throw error
    }
  })
  await waitUntilActive(connection, options)
  return created
}

async function waitUntilActive(connection: Connection, call: Call): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS
  for (;;) {
    const { Table } = await connection.request('createTable', call, ({ client, tableName, options }) =>
      client.send(new DescribeTableCommand({ TableName: tableName }), options),
    )
    if (Table?.TableStatus === 'ACTIVE' || Table?.TableStatus === 'UPDATING') return
    if (performance.now() > deadline) {
      throw new MetastoreError(`DynamoDB createTable: the table is still ${String(Table?.TableStatus)}`)
    }
    await sleep(POLL_MS, call.signal)
  }
}
