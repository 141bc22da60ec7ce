import { type AwsKmsOptions, createAwsKms } from '@asherah/kms-aws'
import { startHttpFaultProxy } from '@asherah/testing/services'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createFakeKms } from './fake-kms.ts'

const arn = (region: string) => `arn:aws:kms:${region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab`
const one = { 'us-west-2': arn('us-west-2') }
const two = { ...one, 'eu-west-1': arn('eu-west-1') }
const client = createFakeKms().client('us-west-2')

/** What an untyped caller may give. */
function createUnchecked(options: unknown): unknown {
  return Reflect.apply(createAwsKms, undefined, [options])
}

test.each<[string, unknown, string]>([
  ['no key', {}, 'regionMap or keyId is missing'],
  ['an unknown option', { regionMap: one, prefferedRegion: 'us-west-2' }, 'did you mean preferredRegion?'],
  ['both forms', { regionMap: one, keyId: arn('us-west-2') }, 'keyId does not go with regionMap'],
  ['an option of the other form', { keyId: arn('us-west-2'), preferredRegion: 'us-west-2' }, 'does not go with keyId'],
  ['an empty map', { regionMap: {} }, 'regionMap names no region'],
  ['a list for a map', { regionMap: [arn('us-west-2')] }, 'regionMap must be an object'],
  ['several regions and no preferred one', { regionMap: two }, "one of regionMap's: us-west-2, eu-west-1"],
  ['a preferred region that is not in the map', { regionMap: one, preferredRegion: 'eu-west-1' }, 'preferredRegion'],
  [
    'D-084 an ARN of another region',
    { regionMap: { 'us-east-1': arn('us-west-2') } },
    'a key in us-west-2, not in us-east-1',
  ],
  [
    'D-084 an ARN and another region',
    { keyId: arn('us-west-2'), region: 'eu-west-1' },
    'a key in us-west-2, not in eu-west-1',
  ],
  ['an ARN of something else', { keyId: 'arn:aws:s3:::bucket' }, 'not the ARN of a KMS key'],
  ['an empty key id', { keyId: '' }, 'keyId must be text'],
  ['a minimum above the regions', { regionMap: one, onPartialFailure: { minimum: 2 } }, 'a whole number from 1 to 1'],
  ['a minimum of 0', { regionMap: one, onPartialFailure: { minimum: 0 } }, 'onPartialFailure.minimum'],
  ['an unknown policy', { regionMap: one, onPartialFailure: 'some' }, "'best-effort', 'all' or { minimum }"],
  [
    'a client of a region that is not in the map',
    { regionMap: one, clients: { 'eu-west-1': client } },
    'not in regionMap',
  ],
  ['a client that is none', { keyId: arn('us-west-2'), client: {} }, 'client must be a KMSClient'],
  [
    'a former key that is no ARN',
    { regionMap: one, formerKeys: { 'us-west-2': ['alias/old'] } },
    'formerKeys[us-west-2]',
  ],
  ['credentials that nobody uses', { keyId: 'x', client, credentials: {} }, 'credentials has no effect'],
  ['an endpoint that is no URL', { keyId: 'x', endpoint: 'localhost' }, 'endpoint must be a URL'],
  ['a timeout of 0', { keyId: 'x', timeoutMs: 0 }, 'timeoutMs must be a whole number from 1'],
  ['a timeout beyond what timers can', { keyId: 'x', regionTimeoutMs: 2 ** 31 }, 'regionTimeoutMs'],
  ['an unknown option of the breaker', { keyId: 'x', breaker: { failure: 2 } }, 'did you mean failures?'],
])('refused: %s', (_, options, message) => {
  expect(() => createUnchecked(options)).toThrow(
    expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG', message: expect.stringContaining(message) }),
  )
})

test('options are copied: later changes have no effect', async () => {
  const fake = createFakeKms()
  const regionMap = fake.regionMap('us-west-2')
  const clients = fake.clients('us-west-2')
  const kms = createAwsKms({ regionMap, clients })
  Reflect.deleteProperty(regionMap, 'us-west-2')
  Reflect.deleteProperty(clients, 'us-west-2')
  await kms.encryptKey(new Uint8Array(32))
  expect(fake.log()).toEqual(['GenerateDataKey us-west-2'])
})

describe('D-083 which endpoint', () => {
  afterEach(() => vi.unstubAllEnvs())

  test.each([
    ['DynamoDB’s variable is not KMS’s', { AWS_ENDPOINT_URL_DYNAMODB: 'other', AWS_ENDPOINT_URL_KMS: 'kms' }, {}],
    ['the option wins over AWS_ENDPOINT_URL', { AWS_ENDPOINT_URL: 'other' }, { endpoint: 'kms' }],
    ['KMS’s variable wins over AWS_ENDPOINT_URL', { AWS_ENDPOINT_URL: 'other', AWS_ENDPOINT_URL_KMS: 'kms' }, {}],
  ])('%s', async (_, variables, options) => {
    const servers = {
      kms: await startHttpFaultProxy('http://127.0.0.1:1'),
      other: await startHttpFaultProxy('http://127.0.0.1:1'),
    }
    const urlOf = (name: string) => (name === 'kms' ? servers.kms.url : servers.other.url)
    servers.kms.setFault({ kind: 'awsError', type: 'DisabledException' })
    for (const [name, server] of Object.entries(variables)) vi.stubEnv(name, urlOf(server))
    const settings: AwsKmsOptions = {
      keyId: arn('us-west-2'),
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
      ...('endpoint' in options && { endpoint: urlOf(options.endpoint) }),
    }
    using kms = createAwsKms(settings)
    await expect(kms.encryptKey(new Uint8Array(32))).rejects.toMatchObject({ code: 'ERR_ASHERAH_KMS' })
    expect([servers.kms.requests.length, servers.other.requests.length]).toEqual([1, 0])
    await servers.kms.close()
    await servers.other.close()
  })
})
