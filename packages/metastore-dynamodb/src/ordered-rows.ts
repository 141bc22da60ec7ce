import { type Call, checkNotAborted, type KeyMeta, MetastoreError } from '@asherah/core/backend'
import { ScanCommand } from '@aws-sdk/client-dynamodb'
import type { Connection } from './connection.ts'
import { type Item, keyOf } from './items.ts'

/** A row with what it is ordered by. */
interface Ranked {
  readonly item: Item
  readonly id: Buffer
  readonly created: number
}

/**
 * Every row by the bytes of its id, then by `created`, in bounded memory.
 *
 * DynamoDB keeps no order over partition keys. So each pass scans the table and keeps its first `batchRows` rows after
 * the ones that were given already; a table of n rows is read ceil(n / batchRows) times.
 */
export async function* orderedRows(
  connection: Connection,
  batchRows: number,
  call: (Call & { readonly after?: KeyMeta }) | undefined,
): AsyncGenerator<Item> {
  let after: Omit<Ranked, 'item'> | undefined
  if (call?.after !== undefined) after = { id: Buffer.from(call.after.keyId), created: call.after.created }
  for (;;) {
    const { rows, more } = await firstRows(connection, batchRows, after, call)
    for (const row of rows) {
      checkNotAborted(call?.signal)
      yield row.item
    }
    after = rows.at(-1)
    if (!more) return
  }
}

async function firstRows(
  connection: Connection,
  batchRows: number,
  after: Omit<Ranked, 'item'> | undefined,
  call: Call | undefined,
): Promise<{ readonly rows: readonly Ranked[]; readonly more: boolean }> {
  let rows: Ranked[] = []
  let limit: Ranked | undefined
  let more = false
  const cut = (): void => {
    rows.sort(compare)
    if (rows.length <= batchRows) return
    more = true
    rows = rows.slice(0, batchRows)
    limit = rows.at(-1)
  }
  for await (const item of scannedItems(connection, 'list', call)) {
    const { keyId, created } = keyOf(item)
    const row = { item, id: Buffer.from(keyId), created }
    if (after !== undefined && compare(row, after) <= 0) continue
    if (limit !== undefined && compare(row, limit) > 0) continue
    rows.push(row)
    // Sorting at twice the size makes it rare.
    if (rows.length === 2 * batchRows) cut()
  }
  cut()
  return { rows, more }
}

function compare(a: Omit<Ranked, 'item'>, b: Omit<Ranked, 'item'>): number {
  return Buffer.compare(a.id, b.id) || a.created - b.created
}

/** Every item, in DynamoDB's own order, a page (of 1 MB at the most) at a time. */
export async function* scannedItems(
  connection: Connection,
  what: string,
  call: Call | undefined,
): AsyncGenerator<Item> {
  let from: Item | undefined
  do {
    const start = from
    const page = await connection.request(what, call, ({ client, tableName, options }) =>
      client.send(
        new ScanCommand({
          TableName: tableName,
          ConsistentRead: true,
          ...(start === undefined ? {} : { ExclusiveStartKey: start }),
        }),
        options,
      ),
    )
    if (page.Items === undefined) throw new MetastoreError(`DynamoDB ${what}: the answer is not one of Scan`)
    yield* page.Items
    from = page.LastEvaluatedKey
  } while (from !== undefined)
}
