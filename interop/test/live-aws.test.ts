import { createAwsKms } from '@asherah/kms-aws'
import { describeService } from '@asherah/testing'
import { type AwsEndpoint, startDynamoDbLocal, startLocalStack } from '@asherah/testing/services'
import { CreateKeyCommand, DisableKeyCommand, EnableKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterAll, expect, test } from 'vitest'
import { ownProperty } from '../src/json.ts'
import { javaPeer, rustPeer } from '../src/peers.ts'
import { product, type SharedStore, service } from './both-sides.ts'
import { awsVariables, region, sharedTable } from './dynamodb-tables.ts'
import { liveInterop } from './live-suite.ts'

const regions = ['us-west-2', 'us-east-1'] as const
const peers = [
  ['Java (appencryption 0.3.3)', await javaPeer()],
  ['Rust (PyPI asherah 0.5.56)', await rustPeer()],
] as const
const dynamoDb = await startDynamoDbLocal()

describeService('DynamoDB Local and LocalStack', await startLocalStack(), (kmsEndpoint) => {
  describeService('one table, one KMS', dynamoDb, (endpoint) => {
    const clients = new Map(regions.map((region) => [region, clientOf(kmsEndpoint, region)]))
    afterAll(() => {
      for (const client of clients.values()) client.destroy()
    })
    const keys = newKeys(clients)

    for (const [name, peer, regionSuffix] of peers.flatMap(([n, p]) => [
      [n, p, false] as const,
      [n, p, true] as const,
    ])) {
      // The peer prefers the other region: each side unwraps what the other one wrapped first elsewhere.
      const createStore = async (): Promise<SharedStore> => {
        const regionMap = await keys
        const shared = await sharedTable(endpoint, regionSuffix)
        return {
          ...shared,
          kms: createAwsKms({
            regionMap,
            preferredRegion: 'us-west-2',
            endpoint: kmsEndpoint.url,
            credentials: kmsEndpoint.credentials,
          }),
          openFields: { ...shared.openFields, awsKms: { regionMap, preferredRegion: 'us-east-1' } },
        }
      }
      const variables = { ...awsVariables(endpoint), AWS_ENDPOINT_URL_KMS: kmsEndpoint.url }
      const title = `${name} with AWS KMS, ${regionSuffix ? 'with' : 'without'} suffix`
      liveInterop({ name: title, createStore, variables }, peer, (setting) => {
        test('each side unwraps the other’s system key in either region, also when one is down', async () => {
          const byUsFirst = await setting()
          const byThemFirst = await setting()
          await byThemFirst.openPeer()
          const byThem = await byThemFirst.theirs.encrypt('p', Buffer.from('by them'))
          await byUsFirst.openPeer()
          const byUs = await byUsFirst.ours().encrypt('p', Buffer.from('by us'))
          for (const { store } of [byUsFirst, byThemFirst]) {
            const systemKey = await store.metastore.loadLatest(
              `_SK_${service}_${product}${regionSuffix ? `_${region}` : ''}`,
            )
            const envelope: unknown = JSON.parse(Buffer.from(systemKey?.encryptedKey ?? []).toString())
            expect(envelope).toEqual({
              encryptedKey: expect.any(String),
              kmsKeks: expect.arrayContaining(regions.map((name) => expect.objectContaining({ region: name }))),
            })
            expect(ownProperty(envelope, 'kmsKeks')).toHaveLength(2)
          }
          for (const down of regions) {
            const disabled = { KeyId: (await keys)[down] }
            await clients.get(down)?.send(new DisableKeyCommand(disabled))
            try {
              await byUsFirst.openPeer()
              expect(await byUsFirst.theirs.decrypt('p', byUs), `${down} down`).toEqual(Buffer.from('by us'))
              expect(await byThemFirst.ours().decrypt('p', byThem), `${down} down`).toEqual(Buffer.from('by them'))
            } finally {
              await clients.get(down)?.send(new EnableKeyCommand(disabled))
            }
          }
        })
      })
    }
  })
})

function clientOf({ url, credentials }: AwsEndpoint, region: string): KMSClient {
  return new KMSClient({ endpoint: url, credentials, region })
}

/** One key in each region, made once. */
async function newKeys(clients: ReadonlyMap<string, KMSClient>): Promise<Readonly<Record<string, string>>> {
  const arns: Record<string, string> = {}
  for (const [region, client] of clients) {
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
    arns[region] = KeyMetadata?.Arn ?? ''
  }
  return arns
}
