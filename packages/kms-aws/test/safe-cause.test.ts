import { createServer, type Server } from 'node:http'
import { inspect } from 'node:util'
import { createAwsKms } from '@asherah/kms-aws'
import { SEEDED_ACCOUNT } from '@asherah/testing/tools'
import { KMSServiceException } from '@aws-sdk/client-kms'
import { afterEach, expect, test } from 'vitest'
import { awsError, createFakeKms } from './fake-kms.ts'

const ARN = `arn:aws:kms:us-west-2:${SEEDED_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-123456789012`
const REFUSAL = `User: arn:aws:iam::${SEEDED_ACCOUNT}:user/x is not authorized to perform: kms:GenerateDataKey on resource: ${ARN}`
const key = new Uint8Array(32)
let server: Server | undefined
afterEach(() => void server?.close())

/** A server that refuses as KMS does. */
async function refusing(): Promise<string> {
  const body = JSON.stringify({ __type: 'AccessDeniedException', message: REFUSAL })
  const started = createServer((_, response) => {
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-requestid': 'request-1' }).end(body)
  })
  server = started
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve))
  const address = started.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  )
}

test('D-117 a refusal of AWS keeps its name and its request id, and loses the account and the session token', async () => {
  using kms = createAwsKms({
    keyId: 'alias/key',
    region: 'us-west-2',
    endpoint: await refusing(),
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'a-session-token' },
    maxAttempts: 1,
  })
  const error = await failureOf(kms.encryptKey(key))
  expect(error).toMatchObject({
    code: 'ERR_ASHERAH_KMS',
    errors: [{ cause: { name: 'AccessDeniedException', $metadata: { httpStatusCode: 400, requestId: 'request-1' } } }],
  })
  expect(Reflect.get(Object(error), 'errors')[0].cause).toBeInstanceOf(KMSServiceException)
  const shown = inspect(error, { showHidden: true, depth: Number.POSITIVE_INFINITY })
  expect(shown).toContain('User: arn:aws:iam::[redacted]:user/x is not authorized')
  // What is no account stays.
  expect(shown).toContain('arn:aws:kms:us-west-2:[redacted]:key/1234abcd-12ab-34cd-56ef-123456789012')
  expect(shown).not.toContain(SEEDED_ACCOUNT)
  expect(shown).not.toContain('a-session-token')
})

test.each<[string, () => Error]>([
  [
    'its causes',
    () => new Error('no credentials', { cause: awsError(`may not assume arn:aws:iam::${SEEDED_ACCOUNT}:role/r`) }),
  ],
  ['its errors', () => new AggregateError([new Error(`of account ${SEEDED_ACCOUNT}.`)], 'no credentials')],
  ['its fields', () => Object.assign(new Error('refused'), { Message: REFUSAL })],
  [
    'the answer of STS, as the SDK keeps it',
    () => {
      const answer = { Type: 'Sender', Code: 'AccessDenied', Message: REFUSAL, message: REFUSAL }
      const error = Object.assign(new Error(REFUSAL), { name: 'AccessDenied', Type: 'Sender', Error: answer })
      return Object.assign(new Error('no credentials'), { cause: error })
    },
  ],
  ['an error that cannot be changed', () => Object.freeze(new Error(REFUSAL))],
  [
    'an error that is its own cause',
    () => {
      const error = new Error(REFUSAL)
      return Object.assign(error, { cause: error })
    },
  ],
])('D-117 what the credentials or the client threw shows no account: %s', async (_, thrown) => {
  const fake = createFakeKms()
  const regionMap = fake.regionMap('us-west-2')
  fake.fault = thrown
  using kms = createAwsKms({ regionMap, clients: fake.clients('us-west-2') })
  const error = await failureOf(kms.encryptKey(key))
  expect(error).toMatchObject({ code: 'ERR_ASHERAH_KMS', errors: [{ cause: expect.any(Error) }] })
  expect(inspect(error, { showHidden: true, depth: 12 })).not.toContain(SEEDED_ACCOUNT)
})
