import { createAwsKms, type KmsClientLike } from '@asherah/kms-aws'
import { KMSClient } from '@aws-sdk/client-kms'
import { expect, test, vi } from 'vitest'

test('a KMSClient is taken as it is, and is yours to destroy', () => {
  const client = new KMSClient({ region: 'us-west-2' })
  const taken: KmsClientLike = client
  const destroy = vi.spyOn(client, 'destroy')
  createAwsKms({ keyId: 'alias/key', client: taken }).close()
  expect(destroy).not.toHaveBeenCalled()
  client.destroy()
})
