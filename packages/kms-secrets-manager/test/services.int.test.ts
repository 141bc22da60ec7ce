import { randomBytes } from 'node:crypto'
import { createSecretsManagerKms } from '@asherah/kms-secrets-manager'
import { describeService, kmsConformance } from '@asherah/testing'
import {
  type AwsEndpoint,
  type HttpFault,
  startHttpFaultProxy,
  startLocalStack,
  startMoto,
} from '@asherah/testing/services'
import { CreateSecretCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { expect, test } from 'vitest'

const region = 'us-west-2'
const systemKey = new Uint8Array(32).map((_, i) => i)

function suite({ url, credentials }: AwsEndpoint): void {
  const client = new SecretsManagerClient({ endpoint: url, credentials, region })
  const createSecret = async (value: { SecretString: string } | { SecretBinary: Uint8Array }) => {
    const { ARN = '' } = await client.send(new CreateSecretCommand({ Name: randomBytes(8).toString('hex'), ...value }))
    return ARN
  }
  // The region is the ARN's.
  const createKms = (secretId: string) => createSecretsManagerKms({ secretId, endpoint: url, credentials })

  let arn: string
  kmsConformance({
    name: 'Secrets Manager',
    create: async () => {
      arn = await createSecret({ SecretBinary: randomBytes(32) })
      return createKms(arn)
    },
    reopen: () => createKms(arn),
    createOther: async () => createKms(await createSecret({ SecretString: randomBytes(32).toString('hex') })),
    dispose: (kms) => kms.close(),
  })

  test('D-081 a secret that is rotated three times: each version’s keys open, in a new process too', async () => {
    const secretId = await createSecret({ SecretBinary: randomBytes(32) })
    const wrapped = [await createKms(secretId).encryptKey(systemKey)]
    for (let i = 0; i < 3; i++) {
      await client.send(
        new PutSecretValueCommand({ SecretId: secretId, SecretString: randomBytes(32).toString('hex') }),
      )
      wrapped.push(await createKms(secretId).encryptKey(systemKey))
    }
    const opened = await Promise.allSettled(wrapped.map((key) => createKms(secretId).decryptKey(key)))
    // AWS keeps versions without a stage until they are deprecated and deleted; the two last ones always.
    expect(opened.slice(-2)).toEqual(Array(2).fill({ status: 'fulfilled', value: systemKey }))
    expect(opened.map(({ status }) => status)).toEqual(Array(4).fill('fulfilled'))
  })

  test.each<[string, HttpFault]>([
    ['a reset connection', { kind: 'reset' }],
    ['a lost answer', { kind: 'dropAnswer' }],
    ['no answer', { kind: 'hang' }],
    ['an answer that is late', { kind: 'latency', ms: 2_500 }],
    ['status 500', { kind: 'status', status: 500 }],
    ['status 503', { kind: 'status', status: 503 }],
    ['throttling', { kind: 'awsError', type: 'ThrottlingException' }],
  ])('D-076 %s, once: tried again; and all the time: a KmsError', async (_, fault) => {
    const proxy = await startHttpFaultProxy(url)
    const secretId = await createSecret({ SecretBinary: randomBytes(32) })
    const broken = () => createSecretsManagerKms({ secretId, endpoint: proxy.url, credentials })
    proxy.setFault(() => (proxy.requests.length === 1 ? fault : undefined))
    const wrapped = await broken().encryptKey(systemKey)
    expect(proxy.requests).toHaveLength(2)
    proxy.setFault(fault)
    await expect(broken().decryptKey(wrapped)).rejects.toMatchObject({ code: 'ERR_ASHERAH_KMS' })
    await proxy.close()
  })

  test('a secret that is not there: a KmsError with what Secrets Manager said', async () => {
    const kms = createSecretsManagerKms({ secretId: 'nothing', region, endpoint: url, credentials })
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({
      code: 'ERR_ASHERAH_KMS',
      message: expect.stringContaining('ResourceNotFoundException'),
    })
  })
}

describeService('moto', await startMoto(), suite)
describeService('LocalStack', await startLocalStack(), suite)
