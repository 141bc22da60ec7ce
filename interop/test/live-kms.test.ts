import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAwsKms } from '@asherah/kms-aws'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { describeService } from '@asherah/testing'
import { startMoto } from '@asherah/testing/services'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterAll, expect, test } from 'vitest'
import { rustPeer } from '../src/peers.ts'
import { product, type SharedStore, service } from './both-sides.ts'
import { awsVariables, region } from './dynamodb-tables.ts'
import { liveInterop } from './live-suite.ts'

const rust = await rustPeer()

// asherah-ffi's `KmsKeyId`: an envelope with one region.
describeService('moto’s KMS', await startMoto(), (endpoint) => {
  const scratch: string[] = []
  afterAll(() => {
    for (const folder of scratch) rmSync(folder, { recursive: true, force: true })
  })

  async function createStore(): Promise<SharedStore> {
    const client = new KMSClient({ endpoint: endpoint.url, credentials: endpoint.credentials, region })
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}))
    client.destroy()
    const keyId = KeyMetadata?.Arn ?? ''
    const folder = mkdtempSync(join(tmpdir(), 'asherah-kms-'))
    scratch.push(folder)
    const path = join(folder, 'keys.db')
    const metastore = createSqliteMetastore({ path })
    return {
      metastore,
      kms: createAwsKms({ keyId, endpoint: endpoint.url, credentials: endpoint.credentials }),
      openFields: { path, kmsKeyId: keyId },
      toPeer: async () => {},
      fromPeer: async () => {},
      close: () => metastore.close(),
    }
  }

  const variables = { ...awsVariables(endpoint), AWS_ENDPOINT_URL_KMS: endpoint.url, AWS_REGION: region }
  liveInterop({ name: 'Rust (PyPI asherah 0.5.56) with one AWS KMS key', createStore, variables }, rust, (setting) => {
    test('both write an envelope with this region alone, under the key’s ARN', async () => {
      for (const writer of ['ours', 'theirs'] as const) {
        const both = await setting()
        await both.openPeer()
        await (writer === 'ours' ? both.ours() : both.theirs).encrypt('p', Buffer.from('x'))
        const systemKey = await both.store.metastore.loadLatest(`_SK_${service}_${product}`)
        const envelope: unknown = JSON.parse(Buffer.from(systemKey?.encryptedKey ?? []).toString())
        expect(envelope).toEqual({
          encryptedKey: expect.any(String),
          kmsKeks: [{ region, arn: both.store.openFields.kmsKeyId, encryptedKek: expect.any(String) }],
        })
      }
    })
  })
})
