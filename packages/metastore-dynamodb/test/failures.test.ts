import { randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { AsherahError, type EnvelopeKeyRecord, MetastoreError } from '@asherah/core/backend'
import { type HttpFault, type HttpFaultProxy, startDynalite, startHttpFaultProxy } from '@asherah/testing/services'
import { SEEDED_ACCOUNT } from '@asherah/testing/tools'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createDynamoDbMetastore, type DynamoDbMetastoreOptions } from '../src/index.ts'
import { createTable, type TestTable } from './tables.ts'

const dynalite = await startDynalite()
const { credentials } = dynalite.details
let table: TestTable
let proxy: HttpFaultProxy

beforeAll(async () => {
  table = await createTable(dynalite.details)
})
// One for each test: a request of an abandoned call may still be on its way when its test has ended.
beforeEach(async () => {
  proxy = await startHttpFaultProxy(dynalite.details.url)
})
afterEach(() => proxy.close())
afterAll(async () => {
  await table.drop()
  await dynalite.stop()
})

/** A metastore whose requests go through the proxy. */
function proxied(options: Partial<DynamoDbMetastoreOptions> = {}) {
  return table.metastore({ endpoint: proxy.url, attemptTimeoutMs: 10_000, timeoutMs: 20_000, ...options })
}

let count = 0
function newRow(): EnvelopeKeyRecord {
  count += 1
  return {
    keyId: `_SK_${count}`,
    created: 1_795_251_360,
    encryptedKey: new Uint8Array(randomBytes(60)),
    revoked: false,
  }
}

/** The given faults, one a request, then none. */
function faults(...list: readonly HttpFault[]): void {
  const left = [...list]
  proxy.setFault(() => left.shift())
}

/** What the call rejects with: always an error of this library. */
async function failureOf(call: Promise<unknown>): Promise<AsherahError> {
  const error = await call.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof AsherahError)) throw error
  return error
}

const passing: readonly [string, HttpFault][] = [
  ['throttled', { kind: 'awsError', type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException' }],
  ['throttled on demand', { kind: 'awsError', type: 'com.amazon.coral.availability#ThrottlingException' }],
  [
    'a transaction on the item',
    { kind: 'awsError', type: 'com.amazonaws.dynamodb.v20120810#TransactionConflictException' },
  ],
  [
    "another region's write of the item",
    { kind: 'awsError', type: 'com.amazonaws.dynamodb.v20120810#ReplicatedWriteConflictException' },
  ],
  ['an internal error', { kind: 'awsError', type: 'InternalServerError', status: 500 }],
  ['500 from a load balancer', { kind: 'status', status: 500 }],
  ['503 from a load balancer', { kind: 'status', status: 503 }],
  ['a reset connection', { kind: 'reset' }],
  ['a request that hangs', { kind: 'hang' }],
  ['an answer that is lost', { kind: 'dropAnswer' }],
  ['an answer that is late', { kind: 'latency', ms: 600 }],
]

describe.each(passing)('%s', (_, fault) => {
  test('D-050 once: load, loadLatest, store and markRevoked succeed at the next try', async () => {
    await using metastore = proxied({ attemptTimeoutMs: 300 })
    const row = newRow()
    faults(fault)
    expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
    faults(fault)
    expect(await metastore.load(row.keyId, row.created)).toEqual(row)
    faults(fault)
    expect(await metastore.loadLatest(row.keyId)).toEqual(row)
    faults(fault)
    expect(await metastore.markRevoked(row.keyId, row.created)).toBe(true)
    expect(await metastore.load(row.keyId, row.created)).toEqual({ ...row, revoked: true })
  })

  test('D-050 D-076 always: a MetastoreError within the budget, never null, never false', async () => {
    await using metastore = proxied({ timeoutMs: 300, attemptTimeoutMs: 80, maxAttempts: 3 })
    const row = newRow()
    proxy.setFault(fault)
    const calls = [
      () => metastore.load(row.keyId, row.created),
      () => metastore.loadLatest(row.keyId),
      () => metastore.store(row.keyId, row.created, row),
      () => metastore.markRevoked(row.keyId, row.created),
    ]
    for (const call of calls) expect(await failureOf(call())).toBeInstanceOf(MetastoreError)
  })
})

describe('a put whose answer is lost is no false duplicate', () => {
  test('the row that is there is its own: true, and one row', async () => {
    await using metastore = proxied()
    const row = newRow()
    faults({ kind: 'dropAnswer' })
    expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
    expect(proxy.requests.map(actionOf)).toEqual(['PutItem', 'PutItem', 'GetItem'])
    expect(await metastore.load(row.keyId, row.created)).toEqual(row)
  })

  test("another process's row: false, and it stays", async () => {
    await using metastore = proxied()
    await using other = table.metastore()
    const winner = newRow()
    const loser = { ...winner, encryptedKey: new Uint8Array(randomBytes(60)) }
    await other.store(winner.keyId, winner.created, winner)
    faults({ kind: 'reset' })
    expect(await metastore.store(loser.keyId, loser.created, loser)).toBe(false)
    expect(await other.load(winner.keyId, winner.created)).toEqual(winner)
  })

  test("a client of the caller's that does its own retries", async () => {
    const client = new DynamoDBClient({ region: 'eu-west-1', endpoint: proxy.url, credentials })
    await using metastore = createDynamoDbMetastore({ client, tableName: table.tableName })
    const row = newRow()
    faults({ kind: 'dropAnswer' })
    expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
    expect(await metastore.store(row.keyId, row.created, row)).toBe(false)
    client.destroy()
  })

  test('at the first try the same row is a duplicate, whatever it holds', async () => {
    await using metastore = proxied()
    const row = newRow()
    expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
    expect(await metastore.store(row.keyId, row.created, row)).toBe(false)
    expect(proxy.requests.map(actionOf)).toEqual(['PutItem', 'PutItem'])
  })

  test('all answers lost: an error, and the row may be there', async () => {
    await using metastore = proxied({ maxAttempts: 2 })
    const row = newRow()
    proxy.setFault({ kind: 'dropAnswer' })
    expect((await failureOf(metastore.store(row.keyId, row.created, row))).message).toMatch(/after 2 tries/)
    proxy.setFault(undefined)
    expect(await metastore.load(row.keyId, row.created)).toEqual(row)
  })
})

const duplicate = 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException'

describe('D-049 D-051 only the exception of a failed condition is a duplicate', () => {
  test('the class counts', async () => {
    await using metastore = proxied()
    const row = newRow()
    faults({ kind: 'awsError', type: duplicate, message: 'in any words' })
    expect(await metastore.store(row.keyId, row.created, row)).toBe(false)
  })

  test.each([
    ['ValidationException', 'ConditionalCheckFailedException: The conditional request failed'],
    ['AccessDeniedException', `${duplicate}: attribute_not_exists(Id)`],
    ['ItemCollectionSizeLimitExceededException', 'The conditional request failed'],
    ['ResourceNotFoundException', 'already exists'],
  ])('the words do not: %s', async (name, message) => {
    await using metastore = proxied()
    const row = newRow()
    proxy.setFault({ kind: 'awsError', type: name, message })
    const error = await failureOf(metastore.store(row.keyId, row.created, row))
    expect(error.code).toBe('ERR_ASHERAH_METASTORE')
    expect(error.cause).toMatchObject({ name })
  })
})

test('D-117 a refusal that names accounts keeps its name, and loses them', async () => {
  await using metastore = proxied()
  const message = `User: arn:aws:iam::${SEEDED_ACCOUNT}:user/x may not use arn:aws:dynamodb:us-west-2:${SEEDED_ACCOUNT}:table/Keys`
  proxy.setFault({ kind: 'awsError', type: 'AccessDeniedException', message })
  const error = await failureOf(metastore.load('_SK_x', 1))
  expect(error.message).toContain('AccessDeniedException: User: arn:aws:iam::[redacted]:user/x may not use')
  expect(error.cause).toMatchObject({ name: 'AccessDeniedException', $metadata: { httpStatusCode: 400 } })
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SEEDED_ACCOUNT)
})

test('D-117 nor are accounts in the reasons of a transaction that was cancelled', async () => {
  await using metastore = proxied()
  const Message = `of arn:aws:dynamodb:us-west-2:${SEEDED_ACCOUNT}:table/Keys`
  const answer = {
    __type: 'com.amazonaws.dynamodb.v20120810#TransactionCanceledException',
    CancellationReasons: [{ Code: 'None' }, { Code: 'ValidationError', Message }],
  }
  const headers = { 'content-type': 'application/x-amz-json-1.0' }
  proxy.setFault({ kind: 'status', status: 400, body: JSON.stringify(answer), headers })
  const error = await failureOf(metastore.load('_SK_x', 1))
  const reason = { Code: 'ValidationError', Message: 'of arn:aws:dynamodb:us-west-2:[redacted]:table/Keys' }
  expect(error.cause).toMatchObject({
    name: 'TransactionCanceledException',
    CancellationReasons: [{ Code: 'None' }, reason],
  })
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SEEDED_ACCOUNT)
})

test('D-117 a table that is given by its ARN is named without its account', async () => {
  await using metastore = proxied({ tableName: `arn:aws:dynamodb:us-west-2:${SEEDED_ACCOUNT}:table/Keys` })
  proxy.setFault({ kind: 'awsError', type: 'ValidationException' })
  const error = await failureOf(metastore.load('_SK_x', 1))
  expect(error.message).toContain('table arn:aws:dynamodb:us-west-2:[redacted]:table/Keys: ValidationException')
  proxy.setFault({ kind: 'awsError', type: 'ResourceNotFoundException' })
  const { findings } = await metastore.check()
  expect(findings).toMatchObject([{ level: 'fail', message: expect.stringContaining('there is no such table') }])
  expect(inspect([error, findings], { depth: 10, showHidden: true })).not.toContain(SEEDED_ACCOUNT)
})

describe('D-075 what another try cannot cure is not tried again', () => {
  test.each([
    ['AccessDeniedException', /table Keys-.*: AccessDeniedException: injected/],
    ['ValidationException', /ValidationException: injected/],
    ['UnrecognizedClientException', /UnrecognizedClientException: injected/],
    [
      'ResourceNotFoundException',
      /table Keys-.*: there is no such table in this region and account \(\w+-\w+-\d; ResourceNotFoundException\)$/,
    ],
  ])('%s', async (type, message) => {
    await using metastore = proxied()
    proxy.setFault({ kind: 'awsError', type })
    expect((await failureOf(metastore.load('_SK_x', 1))).message).toMatch(message)
    expect(proxy.requests).toHaveLength(1)
  })

  test('of a message of several lines, only the first is shown: the others hold what was signed', async () => {
    await using metastore = proxied()
    const message = 'The signature does not match.\n\nThe Canonical String: x-amz-security-token:TOKEN'
    proxy.setFault({ kind: 'awsError', type: 'InvalidSignatureException', message })
    const error = await failureOf(metastore.load('_SK_x', 1))
    expect(error.message).toMatch(/InvalidSignatureException: The signature does not match.$/)
  })

  test('an answer that is not JSON', async () => {
    await using metastore = proxied()
    proxy.setFault({ kind: 'status', status: 200, body: '<html>sign in</html>' })
    expect((await failureOf(metastore.load('_SK_x', 1))).code).toBe('ERR_ASHERAH_METASTORE')
    expect((await failureOf(metastore.loadLatest('_SK_x'))).code).toBe('ERR_ASHERAH_METASTORE')
  })

  test('an answer that is not the one of the request', async () => {
    await using metastore = proxied()
    proxy.setFault({
      kind: 'status',
      status: 200,
      body: '{}',
      headers: { 'content-type': 'application/x-amz-json-1.0' },
    })
    expect((await failureOf(metastore.loadLatest('_SK_x'))).message).toMatch(/not one of Query/)
    const list = async (): Promise<void> => {
      for await (const _ of metastore.list()) expect.unreachable()
    }
    expect((await failureOf(list())).message).toMatch(/not one of Scan/)
  })

  test('nobody listens: tried again, and the address is not in the message', async () => {
    await using metastore = proxied({ endpoint: 'http://127.0.0.1:9', maxAttempts: 2 })
    const { message } = await failureOf(metastore.load('_SK_x', 1))
    expect(message).toMatch(/after 2 tries: .*ECONNREFUSED/)
  })
})

describe('D-076 time', () => {
  test('maxAttempts is how often a request is sent', async () => {
    await using metastore = proxied({ maxAttempts: 3, attemptTimeoutMs: 60_000, timeoutMs: 60_000 })
    proxy.setFault({ kind: 'status', status: 503 })
    expect((await failureOf(metastore.load('_SK_x', 1))).message).toMatch(/after 3 tries/)
    expect(proxy.requests).toHaveLength(3)
  })

  test('credentials that never come are waited for no longer than the budget', async () => {
    const credentials = (): Promise<never> => new Promise(() => {})
    await using metastore = proxied({ credentials, attemptTimeoutMs: 50, timeoutMs: 100, maxAttempts: 9 })
    expect((await failureOf(metastore.load('_SK_x', 1))).message).toMatch(/no answer in \d+ ms/)
    expect(proxy.requests).toEqual([])
  })

  test('what store and markRevoked read after a refused write is within the same tries and time', async () => {
    await using metastore = proxied({ attemptTimeoutMs: 100, maxAttempts: 2 })
    const row = newRow()
    const refuse = { kind: 'awsError', type: duplicate } as const
    proxy.setFault(({ headers }) => {
      if (actionOf({ headers }) === 'GetItem') return { kind: 'hang' }
      return proxy.requests.length === 1 ? { kind: 'reset' } : refuse
    })
    expect((await failureOf(metastore.store(row.keyId, row.created, row))).message).toMatch(/after 2 tries: no answer/)
    expect(proxy.requests.map(actionOf)).toEqual(['PutItem', 'PutItem', 'GetItem'])
    proxy.forgetRequests()
    proxy.setFault(({ headers }) => (actionOf({ headers }) === 'GetItem' ? { kind: 'hang' } : refuse))
    expect((await failureOf(metastore.markRevoked(row.keyId, row.created))).code).toBe('ERR_ASHERAH_METASTORE')
    expect(proxy.requests.map(actionOf)).toEqual(['UpdateItem', 'GetItem', 'UpdateItem', 'GetItem'])
  })

  test.each<[string, HttpFault]>([
    ['a request', { kind: 'hang' }],
    ['a pause between tries', { kind: 'awsError', type: 'ThrottlingException' }],
  ])('an abort ends %s at once', async (_, fault) => {
    await using metastore = proxied({ attemptTimeoutMs: 60_000, timeoutMs: 60_000 })
    proxy.setFault(fault)
    const controller = new AbortController()
    const call = metastore.store('_SK_x', 1, { ...newRow(), keyId: '_SK_x', created: 1 }, { signal: controller.signal })
    await expect.poll(() => proxy.requests.length).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    controller.abort(new Error('the caller has gone'))
    expect(await failureOf(call)).toMatchObject({
      code: 'ERR_ASHERAH_ABORTED',
      cause: { message: 'the caller has gone' },
    })
    expect(proxy.requests).toHaveLength(1)
  })

  test('one hanging call holds up no other', async () => {
    await using metastore = proxied({ attemptTimeoutMs: 2_000, maxAttempts: 1 })
    const row = newRow()
    faults({ kind: 'hang' })
    const hanging = failureOf(metastore.load('_SK_hang', 1))
    await expect.poll(() => proxy.requests.length).toBe(1)
    expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
    expect((await hanging).code).toBe('ERR_ASHERAH_METASTORE')
  })
})

test('close leaves a client of the caller’s open, and waits for what runs', async () => {
  const client = new DynamoDBClient({ region: 'eu-west-1', endpoint: proxy.url, credentials })
  let destroyed = 0
  const destroy = client.destroy.bind(client)
  client.destroy = () => {
    destroyed += 1
    destroy()
  }
  const metastore = createDynamoDbMetastore({ client, tableName: table.tableName })
  proxy.setFault({ kind: 'latency', ms: 100 })
  let ended = false
  const running = metastore.load('_SK_x', 1).then(() => (ended = true))
  await metastore.close()
  await new Promise(setImmediate)
  expect(ended).toBe(true)
  await running
  expect((await failureOf(metastore.load('_SK_x', 1))).code).toBe('ERR_ASHERAH_CLOSED')
  expect(destroyed).toBe(0)
  client.destroy()
})

function actionOf({ headers }: { readonly headers: NodeJS.Dict<string | string[]> }): string | undefined {
  return String(headers['x-amz-target']).split('.')[1]
}
