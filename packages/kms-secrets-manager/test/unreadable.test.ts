import { createServer, type Server } from 'node:net'
import { inspect } from 'node:util'
import { createSecretsManagerKms } from '@asherah/kms-secrets-manager'
import { afterEach, expect, test } from 'vitest'

const masterKey = '00112233445566778899aabbccddeeff'.repeat(2)
const length = (body: string) => `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`
let server: Server
afterEach(() => void server.close())

test.each([
  ['bad HTTP', `HTTP/1.1 200 OK\r\nbad header\0: 1\r\n\r\n{"SecretString":"${masterKey}"}`],
  ['JSON that V8’s error quotes', length(`{"SecretString":x${masterKey}}`)],
  ['JSON that is cut off', length(`{"SecretString":"${masterKey}`)],
  ['base64 that is none', length(`{"SecretBinary":"!${masterKey}"}`)],
])('D-117 an answer that cannot be read: %s: nothing of it is in the error or in its causes', async (_, bytes) => {
  server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => socket.end(bytes))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  using kms = createSecretsManagerKms({
    secretId: 'name',
    region: 'us-west-2',
    endpoint: `http://127.0.0.1:${address.port}`,
    credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
  })
  const error: unknown = await kms.encryptKey(new Uint8Array(32)).catch((reason: unknown) => reason)
  expect(error).toMatchObject({
    code: 'ERR_ASHERAH_KMS',
    cause: { message: expect.stringContaining('cannot be read') },
  })
  const shown = inspect(error, { showHidden: true, depth: Number.POSITIVE_INFINITY })
  expect(shown).not.toMatch(/rawPacket|\$response/)
  expect(shown).not.toContain(masterKey.slice(0, 8))
})
