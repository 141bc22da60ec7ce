import { createServer, type Server } from 'node:net'
import { inspect } from 'node:util'
import { channels } from '@asherah/core/backend'
import { createVaultKms, type VaultKmsOptions } from '@asherah/kms-vault'
import { kmsConformance } from '@asherah/testing'
import { type FakeVault, type HttpFault, startFakeVault, startHttpFaultProxy } from '@asherah/testing/services'
import { Agent } from 'undici'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

const systemKey = new Uint8Array(32).map((_, i) => i)
const code = 'ERR_ASHERAH_KMS'

let vault: FakeVault
beforeEach(async () => {
  vault = await startFakeVault()
  vault.createKey('asherah')
})
afterEach(async () => {
  await vault.close()
  vi.restoreAllMocks()
})

const createKms = (options: Partial<VaultKmsOptions> = {}) =>
  createVaultKms({
    address: vault.url,
    transitKey: 'asherah',
    auth: { method: 'token', token: vault.createToken() },
    ...options,
  })
const transitCalls = () => vault.requests.filter(({ path }) => path.startsWith('/v1/transit/'))
const paths = () => vault.requests.map(({ path }) => path)

describe('conformance', () => {
  let own: FakeVault
  const create = (transitKey: string) =>
    createVaultKms({ address: own.url, transitKey, auth: { method: 'token', token: () => own.createToken() } })
  kmsConformance({
    name: 'Vault Transit',
    create: async () => {
      own = await startFakeVault()
      own.createKey('asherah')
      own.createKey('other')
      return create('asherah')
    },
    reopen: () => create('asherah'),
    createOther: () => create('other'),
    dispose: (kms) => kms.close(),
  })
})

describe('the wrapped key', () => {
  test('is Transit’s ciphertext of the base64 key, as asherah-ffi has it', async () => {
    const wrapped = await createKms().encryptKey(systemKey)
    expect(Buffer.from(wrapped).toString()).toMatch(/^vault:v1:[A-Za-z0-9+/=]+$/)
    expect(transitCalls()).toMatchObject([
      {
        method: 'POST',
        path: '/v1/transit/encrypt/asherah',
        body: { plaintext: Buffer.from(systemKey).toString('base64') },
      },
    ])
  })

  test('after the key was rotated old and new versions decrypt, until Vault forbids the old one', async () => {
    const kms = createKms()
    const first = await kms.encryptKey(systemKey)
    vault.rotateKey('asherah')
    const second = await kms.encryptKey(systemKey)
    expect(Buffer.from(second).toString()).toMatch(/^vault:v2:/)
    expect(await kms.decryptKey(first)).toEqual(systemKey)
    vault.setMinDecryptionVersion('asherah', 2)
    expect(await kms.decryptKey(second)).toEqual(systemKey)
    await expect(kms.decryptKey(first)).rejects.toMatchObject({ code, message: expect.stringContaining('too old') })
  })

  test.each([
    ['60 bytes of another KMS', Buffer.alloc(60, 1)],
    ['JSON', Buffer.from('{"kmsKeks":[]}')],
    ['a prefix without version', Buffer.from('vault:AAAA')],
    ['version 0', Buffer.from('vault:v0:AAAA')],
    ['a quote after the prefix', Buffer.from('vault:v1:AA","x":"')],
    ['a newline at the end', Buffer.from('vault:v1:AAAA\n')],
    ['text that is not ASCII', Buffer.from('vault:v1:ÄÄÄÄ')],
    ['over 4,096 characters', Buffer.from(`vault:v1:${'A'.repeat(4_096)}`)],
  ])('D-078 refused before any request: %s', async (_, blob) => {
    await expect(createKms().decryptKey(blob)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('vault:v1:'),
    })
    expect(vault.requests).toEqual([])
  })

  test.each([
    ['no prefix', { ciphertext: 'AAAA' }],
    ['no ciphertext', {}],
    ['a number', { ciphertext: 1 }],
  ])('D-078 an encrypt answer with %s is a KmsError', async (_, data) => {
    vault.fault = ({ path }) =>
      path.includes('/encrypt/') ? { status: 200, body: JSON.stringify({ data }) } : undefined
    await expect(createKms().encryptKey(systemKey)).rejects.toMatchObject({ code })
  })

  test.each([
    ['31 bytes', Buffer.alloc(31, 1).toString('base64')],
    ['33 bytes', Buffer.alloc(33, 1).toString('base64')],
    ['what is not base64', `${'!'.repeat(43)}=`],
    ['base64 that is not canonical', `${Buffer.alloc(32, 1).toString('base64').slice(0, 42)}F=`],
    ['nothing', ''],
  ])('a decrypt answer of %s is a KmsError, and does not show it', async (_, plaintext) => {
    const kms = createKms()
    const wrapped = await kms.encryptKey(systemKey)
    vault.fault = () => ({ status: 200, body: JSON.stringify({ data: { plaintext } }) })
    const error: unknown = await kms.decryptKey(wrapped).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code, message: "Vault's answer has no plaintext of 32 bytes" })
  })

  test('white space in the answer is let pass', async () => {
    const kms = createKms()
    const wrapped = await kms.encryptKey(systemKey)
    const plaintext = Buffer.from(systemKey).toString('base64')
    vault.fault = () => ({ status: 200, body: JSON.stringify({ data: { plaintext } }, null, 2).replace(':', ' : ') })
    expect(await kms.decryptKey(wrapped)).toEqual(systemKey)
  })
})

describe('where', () => {
  test('D-078 names are encoded part by part: nothing in them leads elsewhere', async () => {
    vault.createKey('a/b?x#y%2F')
    await createKms({ transitKey: 'a/b?x#y%2F' }).encryptKey(systemKey)
    expect(transitCalls().map(({ path }) => path)).toEqual(['/v1/transit/encrypt/a%2Fb%3Fx%23y%252F'])
  })

  test('mounts with a slash, and a namespace', async () => {
    const own = await startFakeVault({ mount: 'team/crypto', namespace: 'eu/billing' })
    own.createKey('asherah')
    const settings = {
      address: own.url,
      transitMount: 'team/crypto',
      auth: { method: 'token', token: own.createToken() },
    } as const
    const kms = createKms({ ...settings, namespace: 'eu/billing' })
    expect(await kms.decryptKey(await kms.encryptKey(systemKey))).toEqual(systemKey)
    await expect(createKms(settings).encryptKey(systemKey)).rejects.toMatchObject({ code })
    await own.close()
  })

  test('your own dispatcher is used, and not closed', async () => {
    const dispatcher = new Agent()
    const kms = createKms({ dispatcher })
    await kms.encryptKey(systemKey)
    kms.close()
    expect(dispatcher.closed).toBe(false)
    await dispatcher.close()
  })
})

describe('failures', () => {
  test('D-077 an HTML page of a load balancer: its status, not its text', async () => {
    vault.fault = () => ({ status: 404, body: `<html>${'x'.repeat(10_000)}</html>` })
    const error: unknown = await createKms()
      .encryptKey(systemKey)
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code,
      message: expect.stringContaining("status 404 and 10013 bytes that are not Vault's"),
    })
  })

  test('D-077 Vault’s own words are shown, but no more than 300 characters of them', async () => {
    vault.fault = () => ({ status: 400, body: JSON.stringify({ errors: ['x'.repeat(5_000)] }) })
    const error: unknown = await createKms()
      .encryptKey(systemKey)
      .catch((reason: unknown) => reason)
    expect(String(error).length).toBeLessThan(400)
    vault.fault = () => ({ status: 400, body: JSON.stringify({ errors: ['one\n\u001b[31mtwo'] }) })
    await expect(createKms().encryptKey(systemKey)).rejects.toMatchObject({
      message: expect.stringMatching(/status 400: one \[31mtwo$/),
    })
  })

  test.each([502, 503, 500, 429, 412])('D-076 status %i is tried again', async (status) => {
    const kms = createKms()
    await kms.encryptKey(systemKey)
    vault.requests.length = 0
    vault.fault = () => (vault.requests.length < 3 ? { status, body: '<html>' } : undefined)
    await kms.encryptKey(systemKey)
    expect(transitCalls()).toHaveLength(3)
    vault.requests.length = 0
    vault.fault = () => ({ status, body: '' })
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({
      code,
      message: `Vault answered with status ${status}`,
    })
    expect(transitCalls()).toHaveLength(3)
  })

  test.each([400, 404, 405, 307])('D-075 status %i is not', async (status) => {
    const kms = createKms()
    await kms.encryptKey(systemKey)
    vault.requests.length = 0
    vault.fault = () => ({ status, body: '' })
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({ code })
    expect(transitCalls()).toHaveLength(1)
  })

  test('an endless answer is cut off', async () => {
    vault.fault = () => ({ status: 200, body: 'x'.repeat(100_000) })
    await expect(createKms().encryptKey(systemKey)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('over 65536 bytes'),
    })
    expect(vault.requests).toHaveLength(1)
  })

  test.each<[string, HttpFault]>([
    ['a reset connection', { kind: 'reset' }],
    ['a lost answer', { kind: 'dropAnswer' }],
    ['no answer', { kind: 'hang' }],
    ['an answer that is late', { kind: 'latency', ms: 1_000 }],
    ['status 500', { kind: 'status', status: 500 }],
    ['status 503', { kind: 'status', status: 503 }],
    ['status 429', { kind: 'status', status: 429 }],
  ])('D-076 through a proxy: %s, once: tried again; and all the time: a KmsError', async (_, fault) => {
    const proxy = await startHttpFaultProxy(vault.url)
    const kms = createKms({ address: proxy.url, attemptTimeoutMs: 400 })
    const wrapped = await kms.encryptKey(systemKey)
    proxy.forgetRequests()
    proxy.setFault(() => (proxy.requests.length === 1 ? fault : undefined))
    expect(await kms.decryptKey(wrapped)).toEqual(systemKey)
    expect(proxy.requests).toHaveLength(2)
    proxy.forgetRequests()
    proxy.setFault(fault)
    await expect(kms.decryptKey(wrapped)).rejects.toMatchObject({ code })
    expect(proxy.requests).toHaveLength(3)
    kms.close()
    await proxy.close()
  })

  test('D-076 Vault hangs: each attempt ends, and the call at its deadline', async () => {
    const kms = createKms({ attemptTimeoutMs: 40, maxAttempts: 2 })
    const wrapped = await kms.encryptKey(systemKey)
    vault.fault = () => (vault.requests.at(-1)?.path.includes('decrypt') ? 'hang' : undefined)
    vault.requests.length = 0
    const other = kms.encryptKey(systemKey)
    await expect(kms.decryptKey(wrapped)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('no answer in 40 ms'),
    })
    await other
    expect(paths().filter((path) => path.includes('decrypt'))).toHaveLength(2)
    vault.fault = () => 'hang'
    await expect(createKms({ timeoutMs: 60, attemptTimeoutMs: 60_000 }).decryptKey(wrapped)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('no answer in 60 ms'),
    })
  })

  test('nothing listens: a KmsError with the network’s code', async () => {
    const kms = createKms({ maxAttempts: 1 })
    await vault.close()
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test.each([
    ['a bad chunk', 'transfer-encoding: chunked\r\n\r\nZZ\r\n'],
    ['a bad header', 'bad header\0: 1\r\n\r\n'],
  ])('D-117 an answer that is no HTTP, by %s: nothing of it is in the error or in its causes', async (_, head) => {
    const secret = Buffer.from(systemKey).toString('base64')
    const server: Server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${head}{"data":{"plaintext":"${secret}"}}`))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const kms = createKms({ address: `http://127.0.0.1:${address.port}`, maxAttempts: 1 })
    const error: unknown = await kms.decryptKey(Buffer.from('vault:v1:AAAA')).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code, message: expect.stringMatching(/^Vault cannot be reached \((?!undefined)/) })
    const shown = inspect(error, { showHidden: true, depth: Number.POSITIVE_INFINITY })
    expect(shown).not.toContain(secret.slice(0, 8))
    kms.close()
    server.close()
  })

  test("an abort rejects at once with the signal's reason", async () => {
    vault.fault = () => 'hang'
    const controller = new AbortController()
    const call = createKms().encryptKey(systemKey, { signal: controller.signal })
    await vi.waitFor(() => expect(vault.requests.length).toBeGreaterThan(0))
    controller.abort('gone')
    await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_ABORTED', cause: 'gone' })
  })

  test('closed: ClosedError', async () => {
    const kms = createKms()
    await kms.encryptKey(systemKey)
    kms.close()
    kms[Symbol.dispose]()
    expect(kms.closed).toBe(true)
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  })

  test('no message holds the token or the key', async () => {
    const token = vault.createToken()
    const kms = createKms({ auth: { method: 'token', token } })
    const key = new Uint8Array(32).fill(200)
    const publish = vi.spyOn(channels.warning, 'publish')
    for (const status of [400, 403, 500]) {
      vault.fault = () => ({ status, body: '{"errors":["permission denied"]}' })
      const error: unknown = await kms.encryptKey(key).catch((reason: unknown) => reason)
      const text = JSON.stringify([String(error), error, error instanceof Error ? error.cause : undefined])
      for (const secret of [token, Buffer.from(key).toString('base64')]) expect(text).not.toContain(secret)
    }
    expect(publish).not.toHaveBeenCalled()
  })
})
