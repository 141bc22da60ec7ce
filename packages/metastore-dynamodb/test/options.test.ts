import { InvalidConfigError } from '@asherah/core/backend'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createDynamoDbMetastore, type DynamoDbMetastoreOptions } from '../src/index.ts'
import { recordRequests } from './recorded-requests.ts'

const credentials = { accessKeyId: 'key', secretAccessKey: 'secret' }

// What this machine is set to must not matter.
beforeEach(() => {
  for (const name of ['AWS_REGION', 'AWS_PROFILE', 'AWS_ENDPOINT_URL', 'AWS_ENDPOINT_URL_DYNAMODB'])
    vi.stubEnv(name, undefined)
  vi.stubEnv('AWS_CONFIG_FILE', '/nowhere')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nowhere')
})
afterEach(() => {
  vi.unstubAllEnvs()
})

/** The request that a `load` makes. */
async function loadWith(options: DynamoDbMetastoreOptions) {
  const { requests, requestHandler } = recordRequests()
  await using metastore = createDynamoDbMetastore({
    credentials,
    ...options,
    clientConfig: { ...options.clientConfig, requestHandler },
  })
  expect(await metastore.load('_SK_service_product', 1_795_251_360)).toBeNull()
  expect(requests).toHaveLength(1)
  return { ...requests[0], suffix: metastore.regionSuffix }
}

describe('D-058 the region suffix is the region of the client', () => {
  const aws = (region: string): string => `dynamodb.${region}.amazonaws.com`

  test.each<[string, DynamoDbMetastoreOptions, object]>([
    [
      'region',
      { region: 'eu-west-1' },
      { hostname: aws('eu-west-1'), signingRegion: 'eu-west-1', suffix: 'eu-west-1' },
    ],
    [
      'clientConfig.region',
      { clientConfig: { region: 'us-east-2' } },
      { hostname: aws('us-east-2'), signingRegion: 'us-east-2', suffix: 'us-east-2' },
    ],
    [
      'region and endpoint',
      { region: 'eu-west-1', endpoint: 'http://dynamo.test:8000' },
      { hostname: 'dynamo.test', signingRegion: 'eu-west-1', suffix: 'eu-west-1' },
    ],
    [
      'endpoint and signingRegion, as Java and Rust have it',
      { endpoint: new URL('http://dynamo.test:8000'), signingRegion: 'eu-west-2' },
      { hostname: 'dynamo.test', signingRegion: 'eu-west-2', suffix: 'eu-west-2' },
    ],
    [
      'region and another signingRegion: the table is in the region',
      { region: 'eu-west-1', signingRegion: 'eu-west-2' },
      { hostname: aws('eu-west-1'), signingRegion: 'eu-west-2', suffix: 'eu-west-1' },
    ],
    [
      'region, endpoint and another signingRegion',
      { region: 'eu-west-1', endpoint: 'http://dynamo.test:8000', signingRegion: 'eu-west-2' },
      { hostname: 'dynamo.test', signingRegion: 'eu-west-2', suffix: 'eu-west-1' },
    ],
  ])('%s', async (_, options, expected) => {
    expect(await loadWith({ ...options, regionSuffix: true })).toMatchObject(expected)
  })

  test('AWS_REGION, where no option names one', async () => {
    vi.stubEnv('AWS_REGION', 'ap-south-1')
    const expected = { hostname: aws('ap-south-1'), signingRegion: 'ap-south-1', suffix: 'ap-south-1' }
    expect(await loadWith({ regionSuffix: true })).toMatchObject(expected)
    expect(await loadWith({ region: 'eu-west-1', regionSuffix: true })).toMatchObject({ suffix: 'eu-west-1' })
  })

  test('a text overrides it, whatever the region', async () => {
    expect(await loadWith({ region: 'eu-west-1', regionSuffix: 'emea' })).toMatchObject({
      signingRegion: 'eu-west-1',
      suffix: 'emea',
    })
  })

  test('no suffix unless it is asked for', async () => {
    expect(await loadWith({ region: 'eu-west-1' })).toMatchObject({ suffix: undefined })
    expect(await loadWith({ region: 'eu-west-1', regionSuffix: false })).toMatchObject({ suffix: undefined })
  })

  test.each<[string, DynamoDbMetastoreOptions]>([
    ['no region at all', {}],
    ['a region that only a provider knows', { clientConfig: { region: async () => 'eu-west-1' } }],
    ['a client without region beside it', { client: new DynamoDBClient({ region: 'eu-west-1', credentials }) }],
  ])('a suffix without a known region is refused: %s', (_, options) => {
    expect(() => createDynamoDbMetastore({ ...options, regionSuffix: true })).toThrow(
      /^regionSuffix: true needs the region's name before the first call/,
    )
  })

  test("a region that is not the client's own is refused at the first call, before anything is read", async () => {
    const { requests, requestHandler } = recordRequests()
    const client = new DynamoDBClient({ region: 'eu-west-1', credentials, requestHandler })
    const wrong = createDynamoDbMetastore({ client, region: 'eu-west-2', regionSuffix: true })
    await expect(wrong.load('_SK_service_product', 1)).rejects.toThrow(
      new InvalidConfigError("region is eu-west-2, but the client's own is eu-west-1"),
    )
    expect(requests).toEqual([])
    const right = createDynamoDbMetastore({ client, region: 'eu-west-1', regionSuffix: true })
    expect(await right.load('_SK_service_product', 1)).toBeNull()
    expect(right.regionSuffix).toBe('eu-west-1')
  })
})

test('D-069 without a region each call fails: nothing falls back to memory', async () => {
  await using metastore = createDynamoDbMetastore({ credentials })
  const record = { keyId: 'a', created: 1, encryptedKey: new Uint8Array(60), revoked: false }
  for (const call of [() => metastore.load('a', 1), () => metastore.store('a', 1, record)]) {
    await expect(call()).rejects.toMatchObject({
      code: 'ERR_ASHERAH_INVALID_CONFIG',
      message: 'there is no AWS region: give region, or set AWS_REGION',
    })
  }
})

test('D-083 endpoint and credentials stay with this metastore: the environment is not touched', async () => {
  const before = { ...process.env }
  const request = await loadWith({ region: 'eu-west-1', endpoint: 'http://dynamo.test:8000', credentials })
  expect(request).toMatchObject({ hostname: 'dynamo.test', accessKeyId: 'key' })
  expect({ ...process.env }).toEqual(before)
  const other = new DynamoDBClient({ region: 'eu-west-1', credentials })
  expect(other.config.endpoint).toBeUndefined()
})

test('D-083 the variable of DynamoDB alone is enough to reach a local one', async () => {
  vi.stubEnv('AWS_ENDPOINT_URL_DYNAMODB', 'http://dynamo.test:8000')
  vi.stubEnv('AWS_ENDPOINT_URL', 'http://other.test:8000')
  expect(await loadWith({ region: 'eu-west-1' })).toMatchObject({ hostname: 'dynamo.test' })
})

test.each([
  ['again when what it gave has expired', 1, 2],
  ['once while that is valid', 3_600_000, 1],
])('a credentials provider is asked %s', async (_, validMs, keys) => {
  let asked = 0
  const { requests, requestHandler } = recordRequests()
  await using metastore = createDynamoDbMetastore({
    region: 'eu-west-1',
    credentials: async () => {
      asked += 1
      return { accessKeyId: `key${asked}`, secretAccessKey: 'secret', expiration: new Date(Date.now() + validMs) }
    },
    clientConfig: { requestHandler },
  })
  await metastore.load('a', 1)
  await metastore.load('a', 1)
  expect(new Set(requests.map(({ accessKeyId }) => accessKeyId)).size).toBe(keys)
})

test.each<[string, object, RegExp]>([
  ['an unknown name', { tablename: 'Keys' }, /no option "tablename": did you mean tableName\?/],
  ['no object', [], /takes one object of options/],
  ['tableName of the wrong type', { tableName: 7 }, /^tableName must be/],
  ['tableName too short', { tableName: 'ab' }, /^tableName must be/],
  ['tableName with a slash', { tableName: 'a/b/c' }, /^tableName must be/],
  ['region that is a URL', { region: 'https://x' }, /^region must be the name of a region/],
  ['region with an underscore', { region: 'eu_west_1' }, /^region must be the name of a region/],
  ['signingRegion', { signingRegion: '' }, /^signingRegion must be/],
  ['regionSuffix of the wrong type', { regionSuffix: 1 }, /^regionSuffix must be true, false, or non-empty text/],
  ['regionSuffix empty', { regionSuffix: '' }, /^regionSuffix must be/],
  ['regionSuffix null', { regionSuffix: null }, /^regionSuffix must be/],
  ['endpoint no URL', { endpoint: 'localhost:8000' }, /^endpoint must be an http: or https: URL/],
  ['endpoint with a password', { endpoint: 'http://u:p4ssw0rd@h' }, /^endpoint must not hold a user or password/],
  ['maxAttempts 0', { maxAttempts: 0 }, /^maxAttempts must be a whole number from 1 to 20/],
  ['attemptTimeoutMs NaN', { attemptTimeoutMs: Number.NaN }, /^attemptTimeoutMs must be/],
  ['timeoutMs text', { timeoutMs: '5' }, /^timeoutMs must be/],
  ['listBatchRows 1', { listBatchRows: 1 }, /^listBatchRows must be/],
  ['client of another kind', { client: {} }, /^client must be a DynamoDBClient/],
  ['clientConfig of another kind', { clientConfig: 'x' }, /^clientConfig must be an object/],
  ['clientConfig.maxAttempts', { clientConfig: { maxAttempts: 9 } }, /^clientConfig.maxAttempts: the metastore does/],
  ['a region twice', { region: 'eu-west-1', clientConfig: { region: 'eu-west-1' } }, /^region is given twice/],
  ['client and endpoint', { client: new DynamoDBClient(), endpoint: 'http://h' }, /^endpoint cannot be given together/],
  ['client and maxAttempts', { client: new DynamoDBClient(), maxAttempts: 1 }, /^maxAttempts cannot be given together/],
])('is refused by name: %s', (_, options, message) => {
  const create = (): unknown => createDynamoDbMetastore(options)
  expect(create).toThrow(InvalidConfigError)
  expect(create).toThrow(message)
  expect(create).not.toThrow(/p4ssw0rd/)
})

test('the default table is the one of every Asherah, and an ARN will do', async () => {
  for (const tableName of [undefined, 'arn:aws:dynamodb:eu-west-1:123456789012:table/Keys']) {
    expect(await loadWith({ region: 'eu-west-1', ...(tableName === undefined ? {} : { tableName }) })).toMatchObject({
      action: 'GetItem',
    })
  }
})
