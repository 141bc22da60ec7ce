import { SessionFactory } from '@asherah/core'
import { createInsecureTestKms } from '@asherah/kms-static'
import { describeService } from '@asherah/testing'
import { type AwsEndpoint, startDynamoDbLocal } from '@asherah/testing/services'
import type { VectorRow } from '@asherah/testing/tools'
import { type AttributeValue, DynamoDBClient, PutItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, describe, expect, test } from 'vitest'
import { javaPeer, rustPeer } from '../src/peers.ts'
import { vectorFiles, vectorsOf } from '../src/vectors.ts'
import type { SharedStore } from './both-sides.ts'
import { parentOf } from './both-sides.ts'
import { awsVariables, newTable, region, sharedTable } from './dynamodb-tables.ts'
import { liveInterop, type Setting } from './live-suite.ts'

const peers = [
  ['Java (appencryption 0.3.3)', await javaPeer()],
  ['Rust (PyPI asherah 0.5.56)', await rustPeer()],
] as const
const files = await Promise.all(
  vectorFiles()
    .filter((file) => file.includes('-dynamodb'))
    .map(async (file) => [file, await vectorsOf(file, 'asherah-test-vectors/1')] as const),
)

describeService('DynamoDB Local', await startDynamoDbLocal(), (endpoint) => {
  const client = new DynamoDBClient({ endpoint: endpoint.url, credentials: endpoint.credentials, region })
  afterAll(() => client.destroy())

  test('the vectors of DynamoDB are those of Go, Java and Rust, each with and without suffix', () => {
    expect(files.map(([file]) => file)).toHaveLength(8)
  })

  test.each(files)(
    '%s: items as the peer wrote them; every case decrypts, and what we add does too',
    async (_, vectors) => {
      const { metastore, tableName } = await newTable(endpoint, vectors.regionSuffix ?? false)
      for (const row of vectors.rows) await client.send(new PutItemCommand({ TableName: tableName, Item: itemOf(row) }))
      expect((await metastore.check()).findings.filter(({ level }) => level === 'fail')).toEqual([])
      const newest = Math.max(...vectors.rows.map(({ created }) => created))
      await using factory = new SessionFactory({
        service: vectors.serviceId,
        product: vectors.productId,
        metastore,
        kms: createInsecureTestKms(),
        clock: { now: () => (newest + 60) * 1000, monotonicMs: () => performance.now() },
      })
      for (const { name, partitionId, plaintextBase64, drr } of vectors.cases) {
        using session = factory.getSession(partitionId)
        expect(Buffer.from(await session.decrypt(drr)).toString('base64'), name).toBe(plaintextBase64)
        const record = await session.encryptToJson(Buffer.from(plaintextBase64, 'base64'))
        expect(parentOf(record).KeyId, name).toBe(parentOf(drr).KeyId)
        expect(Buffer.from(await session.decrypt(record)).toString('base64'), name).toBe(plaintextBase64)
      }
      await metastore.close()
    },
  )

  describe.each(peers)('%s', (name, peer) => {
    const live = {
      name: `${name} on one DynamoDB table`,
      createStore: () => sharedTable(endpoint, false),
      variables: awsVariables(endpoint),
    }
    liveInterop(live, peer, (setting) => {
      tableTests(setting, endpoint)

      test('items: each side writes the types of the other', async () => {
        const { openPeer, ours, theirs, store } = await setting()
        await openPeer()
        await ours().encrypt('ours', Buffer.from('x'))
        await theirs.encrypt('theirs', Buffer.from('x'))
        const { tableName } = tableOf(store)
        const { Items = [] } = await client.send(new ScanCommand({ TableName: tableName }))
        const keys = Items.filter(({ Id }) => Id?.S?.startsWith('_IK_'))
        expect(keys.map(({ Id }) => Id?.S).toSorted()).toEqual([
          '_IK_ours_interop-service_interop-product',
          '_IK_theirs_interop-service_interop-product',
        ])
        const shapes = keys.map((item) => shapeOf({ M: withoutFalse(item) }))
        expect(shapes[0]).toEqual(shapes[1])
      })
    })
  })
})

function tableTests(setting: Setting, endpoint: AwsEndpoint): void {
  test('D-058 with a region suffix, both sides write and read the same key ids, whoever is first', async () => {
    const { openPeer, ours, theirs } = await setting(() => sharedTable(endpoint, true))
    await openPeer()
    const byUs = await ours().encrypt('ours-first', Buffer.from('by us'))
    const byThem = await theirs.encrypt('theirs-first', Buffer.from('by them'))
    expect(parentOf(byUs).KeyId).toBe('_IK_ours-first_interop-service_interop-product_us-west-2')
    expect(parentOf(byThem).KeyId).toBe('_IK_theirs-first_interop-service_interop-product_us-west-2')
    expect(parentOf(await theirs.encrypt('ours-first', Buffer.from('x')))).toEqual(parentOf(byUs))
    expect(parentOf(await ours().encrypt('theirs-first', Buffer.from('x')))).toEqual(parentOf(byThem))
    expect(await theirs.decrypt('ours-first', byUs)).toEqual(Buffer.from('by us'))
    expect(await ours().decrypt('theirs-first', byThem)).toEqual(Buffer.from('by them'))
  })

  test('D-016 both sides make their first keys at once in one table', async () => {
    const { openPeer, ours, theirs } = await setting()
    await openPeer()
    const names = Array.from({ length: 8 }, (_, i) => `tenant-${i}`)
    const records = await Promise.all(
      names.flatMap((name) => [ours().encrypt(name, Buffer.from(name)), theirs.encrypt(name, Buffer.from(name))]),
    )
    for (const [i, record] of records.entries()) {
      const name = names[i >> 1] ?? ''
      expect(await ours().decrypt(name, record)).toEqual(Buffer.from(name))
      expect(await theirs.decrypt(name, record)).toEqual(Buffer.from(name))
    }
  })
}

function tableOf({ openFields }: SharedStore): { readonly tableName: string } {
  const { dynamoDb } = openFields
  if (typeof dynamoDb !== 'object' || dynamoDb === null || !('tableName' in dynamoDb)) throw new Error('no table')
  return { tableName: String(dynamoDb.tableName) }
}

function itemOf({ id, dynamodbItem }: VectorRow): Record<string, AttributeValue> {
  if (typeof dynamodbItem !== 'object' || dynamodbItem === null) throw new Error(`${id} has no item`)
  return { ...dynamodbItem }
}

/** Java writes `Revoked` false, and the others leave it out. */
function withoutFalse(item: Record<string, AttributeValue>): Record<string, AttributeValue> {
  const { Revoked, ...body } = item.KeyRecord?.M ?? {}
  return { ...item, KeyRecord: { M: Revoked?.BOOL === false ? body : { ...body, ...(Revoked && { Revoked }) } } }
}

/** The names and types of an attribute, without its values. */
function shapeOf(attribute: AttributeValue): unknown {
  if (attribute.M === undefined) return Object.keys(attribute)
  return Object.fromEntries(
    Object.entries(attribute.M)
      .map(([name, member]) => [name, shapeOf(member)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  )
}
