import { createServer, type Server } from 'node:net'
import { inspect } from 'node:util'
import { createAwsKms } from '@asherah/kms-aws'
import { afterEach, expect, test } from 'vitest'

const dataKey = Buffer.alloc(32, 0xa7).toString('base64')
const length = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`
let server: Server
afterEach(() => void server.close())

/** A server that gives every connection these bytes for an answer. */
async function answering(bytes: string): Promise<string> {
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(bytes))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return `http://127.0.0.1:${address.port}`
}

test.each([
  ['bad HTTP', `HTTP/1.1 200 OK\r\nbad header\0: 1\r\n\r\n{"Plaintext":"${dataKey}"}`],
  ['a bad chunk', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n{"Plaintext":"${dataKey}"}`],
  ['JSON that V8’s error quotes', length(`{"Plaintext":${dataKey}}`)],
  ['JSON that is cut off', length(`{"Plaintext":"${dataKey}`)],
  ['base64 that is none', length(`{"Plaintext":"!${dataKey}"}`)],
])('D-117 an answer that cannot be read: %s: nothing of it is in the error or in its causes', async (_, bytes) => {
  using kms = createAwsKms({
    keyId: 'alias/key',
    region: 'us-west-2',
    endpoint: await answering(bytes),
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    maxAttempts: 1,
  })
  const error: unknown = await kms.encryptKey(new Uint8Array(32)).catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    code: 'ERR_ASHERAH_KMS',
    errors: [{ cause: { message: expect.stringContaining('cannot be read') } }],
  })
  const shown = inspect(error, { showHidden: true, depth: Number.POSITIVE_INFINITY })
  expect(shown).not.toMatch(/rawPacket|\$response/)
  expect(shown).not.toContain(dataKey.slice(0, 8))
})
