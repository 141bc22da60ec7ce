import { createSecretsManagerKms, type SecretsManagerClientLike } from '@asherah/kms-secrets-manager'
import { startHttpFaultProxy } from '@asherah/testing/services'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterEach, expect, test, vi } from 'vitest'

afterEach(() => vi.unstubAllEnvs())

test('a SecretsManagerClient is taken as it is, and is yours to destroy', () => {
  const client = new SecretsManagerClient({ region: 'us-west-2' })
  const taken: SecretsManagerClientLike = client
  const destroy = vi.spyOn(client, 'destroy')
  createSecretsManagerKms({ secretId: 'name', client: taken }).close()
  expect(destroy).not.toHaveBeenCalled()
  client.destroy()
})

test('D-083 DynamoDB’s endpoint variable is not Secrets Manager’s; D-084 the region is the ARN’s', async () => {
  const own = await startHttpFaultProxy('http://127.0.0.1:1')
  const other = await startHttpFaultProxy('http://127.0.0.1:1')
  own.setFault({ kind: 'awsError', type: 'ResourceNotFoundException' })
  vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', other.url)
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', own.url)
  vi.stubEnv('AWS_REGION', 'us-east-1')
  using kms = createSecretsManagerKms({
    secretId: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:name-AbCdEf',
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  })
  await expect(kms.encryptKey(new Uint8Array(32))).rejects.toMatchObject({ code: 'ERR_ASHERAH_KMS' })
  expect(own.requests.map(({ headers }) => String(headers.authorization).split('/')[2])).toEqual(['eu-west-1'])
  expect(other.requests).toEqual([])
  await own.close()
  await other.close()
})

test('D-076 one request that is not answered is tried again within timeoutMs', async () => {
  const proxy = await startHttpFaultProxy('http://127.0.0.1:1')
  proxy.setFault(() =>
    proxy.requests.length === 1 ? { kind: 'hang' } : { kind: 'awsError', type: 'ResourceNotFoundException' },
  )
  using kms = createSecretsManagerKms({
    secretId: 'name',
    region: 'us-west-2',
    endpoint: proxy.url,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    timeoutMs: 900,
  })
  await expect(kms.encryptKey(new Uint8Array(32))).rejects.toMatchObject({
    code: 'ERR_ASHERAH_KMS',
    message: expect.stringContaining('ResourceNotFoundException'),
  })
  expect(proxy.requests).toHaveLength(2)
  await proxy.close()
})
