import {
  AsherahError,
  type Call,
  type Metastore,
  type MetastoreFinding,
  type MetastoreReport,
} from '@asherah/core/backend'
import { DescribeTableCommand, DescribeTimeToLiveCommand, type TableDescription } from '@aws-sdk/client-dynamodb'
import type { Connection } from './connection.ts'
import { toRecord } from './items.ts'
import type { Settings } from './options.ts'
import { scannedItems } from './ordered-rows.ts'

/** The report names at most this many bad rows. */
const MAX_BAD_ROWS = 100

/** Looks at the table's description and at every row; writes nothing. */
export async function checkTable(
  metastore: Metastore,
  connection: Connection,
  settings: Settings,
  call: (Call & { readonly keyId?: string }) | undefined,
): Promise<MetastoreReport> {
  const findings = await part('table', 'DescribeTable', () => inspectTable(connection, settings, call))
  if (!findings.some((found) => found.level === 'fail')) {
    findings.push(...(await part('ttl', 'DescribeTimeToLive', () => inspectTimeToLive(connection, call))))
    findings.push(...(await part('rows', 'Scan', () => inspectRows(connection, call))))
    const keyId = call?.keyId
    if (keyId !== undefined)
      findings.push(...(await part('latest', undefined, () => inspectLatest(metastore, keyId, call))))
  }
  return { ok: findings.every((found) => found.level !== 'fail'), findings }
}

type Finding = MetastoreFinding

function finding(level: Finding['level'], check: string, message: string): Finding {
  return { level, check, message }
}

/**
 * What cannot be looked at is a finding, and no reason to have no report.
 *
 * @param action What an application does not need: that it is denied is only a warning.
 */
async function part(check: string, action: string | undefined, inspect: () => Promise<Finding[]>): Promise<Finding[]> {
  try {
    return await inspect()
  } catch (error) {
    const known = error instanceof AsherahError ? error : undefined
    if (known?.code !== 'ERR_ASHERAH_METASTORE' && known?.code !== 'ERR_ASHERAH_CORRUPT_RECORD') throw error
    const denied = known.cause instanceof Error && known.cause.name === 'AccessDeniedException'
    if (!denied || action === undefined) return [finding('fail', check, known.message)]
    return [finding('warn', check, `dynamodb:${action} is not allowed: this was not looked at`)]
  }
}

async function inspectTable(connection: Connection, settings: Settings, call: Call | undefined): Promise<Finding[]> {
  const { Table } = await connection.request('check', call, ({ client, tableName, options }) =>
    client.send(new DescribeTableCommand({ TableName: tableName }), options),
  )
  if (Table === undefined) return [finding('fail', 'table', 'the answer is not one of DescribeTable')]
  return [
    statusOf(Table),
    keySchemaOf(Table),
    Table.DeletionProtectionEnabled === true
      ? finding('pass', 'deletion', 'the table is protected against deletion')
      : finding(
          'warn',
          'deletion',
          'the table is not protected against deletion: without its keys no data can be read',
        ),
    ...replicasOf(Table, settings),
  ]
}

async function inspectTimeToLive(connection: Connection, call: Call | undefined): Promise<Finding[]> {
  const { TimeToLiveDescription } = await connection.request('check', call, ({ client, tableName, options }) =>
    client.send(new DescribeTimeToLiveCommand({ TableName: tableName }), options),
  )
  const { TimeToLiveStatus = 'DISABLED', AttributeName = '' } = TimeToLiveDescription ?? {}
  if (TimeToLiveStatus === 'DISABLED') return [finding('pass', 'ttl', 'no item expires')]
  const message = `time to live is ${TimeToLiveStatus}: DynamoDB deletes keys whose ${AttributeName} has passed`
  return [finding(AttributeName === 'Created' ? 'fail' : 'warn', 'ttl', message)]
}

function statusOf({ TableStatus, ItemCount }: TableDescription): Finding {
  if (TableStatus === 'ACTIVE' || TableStatus === 'UPDATING') {
    return finding('pass', 'table', `the table is ${TableStatus}, with about ${ItemCount ?? 0} items`)
  }
  return finding('fail', 'table', `the table is ${String(TableStatus)}`)
}

function keySchemaOf({ KeySchema = [], AttributeDefinitions = [] }: TableDescription): Finding {
  const found = KeySchema.map(({ AttributeName, KeyType }) => {
    const type = AttributeDefinitions.find((definition) => definition.AttributeName === AttributeName)?.AttributeType
    return `${AttributeName} (${type}, ${KeyType})`
  }).join(', ')
  const wanted = 'Id (S, HASH), Created (N, RANGE)'
  if (found === wanted) return finding('pass', 'key', `the primary key is ${wanted}`)
  return finding('fail', 'key', `the primary key is ${found}, and must be ${wanted}`)
}

/** Two regions that make the same key at once: without suffixes, the last write of a global table takes the other's key. */
function replicasOf({ Replicas = [], MultiRegionConsistency }: TableDescription, settings: Settings): Finding[] {
  if (Replicas.length === 0) return []
  const regions = Replicas.map((replica) => replica.RegionName).join(', ')
  if (MultiRegionConsistency === 'STRONG') {
    return [finding('pass', 'replicas', `a global table with ${regions}, strongly consistent over regions`)]
  }
  if (settings.regionSuffix !== undefined) {
    return [finding('pass', 'replicas', `a global table with ${regions}; this region's keys end in its suffix`)]
  }
  const risk = 'two regions that make a key at once can lose one of them'
  return [finding('warn', 'replicas', `a global table with ${regions}, and no regionSuffix: ${risk}`)]
}

async function inspectRows(connection: Connection, call: Call | undefined): Promise<Finding[]> {
  let rows = 0
  let unreadable = 0
  const bad: string[] = []
  for await (const item of scannedItems(connection, 'check', call)) {
    rows += 1
    try {
      toRecord(item)
    } catch (error) {
      if (!(error instanceof AsherahError)) throw error
      unreadable += 1
      if (bad.length < MAX_BAD_ROWS) bad.push(error.message)
    }
  }
  if (unreadable === 0) return [finding('pass', 'rows', `${rows} rows can be read`)]
  const more = unreadable > bad.length ? [`and ${unreadable - bad.length} more rows that cannot be read`] : []
  return [...bad, ...more].map((message) => finding('fail', 'rows', message))
}

async function inspectLatest(metastore: Metastore, keyId: string, call: Call | undefined): Promise<Finding[]> {
  const latest = await metastore.loadLatest(keyId, call?.signal === undefined ? {} : { signal: call.signal })
  if (latest === null) return [finding('warn', 'latest', `there is no row of ${JSON.stringify(keyId)}`)]
  return [finding('pass', 'latest', `the latest of ${JSON.stringify(keyId)} was created ${latest.created}`)]
}
