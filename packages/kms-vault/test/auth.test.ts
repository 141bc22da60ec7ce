import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { channels } from '@asherah/core/backend'
import { createVaultKms, type VaultAuth, type VaultKmsOptions } from '@asherah/kms-vault'
import { createTestCertificate, type FakeVault, SEEDED_SECRET, startFakeVault } from '@asherah/testing/services'
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

const createKms = (auth: VaultAuth, options: Partial<VaultKmsOptions> = {}) =>
  createVaultKms({ address: vault.url, transitKey: 'asherah', auth, ...options })
const paths = () => vault.requests.map(({ path }) => path.replace('/v1/', ''))
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('AppRole', () => {
  const auth: VaultAuth = { method: 'approle', roleId: 'role', secretId: SEEDED_SECRET }
  const enable = (token: Parameters<FakeVault['createToken']>[0] = {}) =>
    vault.enableLogin('approle', {
      accepts: (body) => body.role_id === 'role' && body.secret_id === SEEDED_SECRET,
      token,
    })

  test('logs in once for all callers, and sends the token', async () => {
    enable()
    const kms = createKms(auth)
    const wrapped = await Promise.all(Array.from({ length: 20 }, () => kms.encryptKey(systemKey)))
    await Promise.all(wrapped.map((key) => kms.decryptKey(key)))
    expect(paths().filter((path) => path === 'auth/approle/login')).toHaveLength(1)
    expect(vault.requests[0]).toMatchObject({ body: { role_id: 'role', secret_id: SEEDED_SECRET }, token: undefined })
  })

  test('D-077 a token of 2 s is renewed before it expires, without a new login', async () => {
    enable({ ttlSeconds: 2 })
    const kms = createKms(auth)
    for (let i = 0; i < 6; i++) {
      await kms.encryptKey(systemKey)
      await sleep(500)
    }
    expect(paths().filter((path) => path === 'auth/approle/login')).toHaveLength(1)
    expect(paths().filter((path) => path === 'auth/token/renew-self').length).toBeGreaterThan(0)
    kms.close()
    const renewals = vault.requests.length
    await sleep(2_000)
    expect(vault.requests).toHaveLength(renewals)
  })

  test.each([
    ['cannot be renewed', { ttlSeconds: 2, renewable: false }, 0],
    // Vault's answer to a renewal counts in whole seconds: once the token may be thought to live longer than it does.
    ['has come to its longest life', { ttlSeconds: 2, maxTtlSeconds: 2 }, 2],
  ])('D-077 a token that %s: a new login in time, and no call fails', async (_, token, refusals) => {
    enable(token)
    const kms = createKms(auth)
    for (let i = 0; i < 8; i++) {
      await kms.encryptKey(systemKey)
      await sleep(400)
    }
    expect(paths().filter((path) => path === 'auth/approle/login').length).toBeGreaterThan(1)
    expect(paths().filter((path) => path.startsWith('transit')).length).toBeLessThanOrEqual(8 + refusals)
    kms.close()
  })

  test('D-077 a token that was revoked: one new login on 403, by all callers together, and the calls succeed', async () => {
    enable()
    const kms = createKms(auth)
    await kms.encryptKey(systemKey)
    vault.revokeToken(vault.requests.at(-1)?.token ?? '')
    vault.requests.length = 0
    await Promise.all(Array.from({ length: 10 }, () => kms.encryptKey(systemKey)))
    expect(paths().filter((path) => path === 'auth/approle/login')).toHaveLength(1)
  })

  test('a 403 that a new login does not cure: two attempts, then a KmsError', async () => {
    enable()
    const kms = createKms(auth)
    vault.fault = ({ path }) =>
      path.includes('/transit/') ? { status: 403, body: '{"errors":["permission denied"]}' } : undefined
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({
      code,
      message: 'Vault answered with status 403: permission denied',
    })
    expect(paths()).toEqual([
      'auth/approle/login',
      'transit/encrypt/asherah',
      'auth/approle/login',
      'transit/encrypt/asherah',
    ])
  })

  test('a wrong secret: Vault’s words, and not the secret', async () => {
    enable()
    const kms = createKms({ ...auth, secretId: 'not-the-one' })
    const error: unknown = await kms.encryptKey(systemKey).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code,
      message: 'no login to Vault: Vault answered with status 400: invalid credentials',
    })
    expect(paths()).toEqual(['auth/approle/login'])
  })

  test('D-077 the status of a login is looked at before its body', async () => {
    vault.fault = () => ({ status: 502, body: '<html>' })
    await expect(createKms(auth, { maxAttempts: 1 }).encryptKey(systemKey)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('status 502'),
    })
  })

  test.each([
    ['no JSON', 'ok'],
    ['no auth', '{}'],
    ['no token', '{"auth":{"lease_duration":1}}'],
  ])('a login answer with %s is a KmsError', async (_, body) => {
    vault.fault = () => ({ status: 200, body })
    await expect(createKms(auth).encryptKey(systemKey)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('has no'),
    })
  })

  test('Vault is down when the token should be renewed: it is tried again while the token lives', async () => {
    enable({ ttlSeconds: 4 })
    const kms = createKms(auth, { maxAttempts: 1 })
    await kms.encryptKey(systemKey)
    let renewals = 0
    vault.fault = ({ path }) =>
      path.endsWith('renew-self') && ++renewals === 1 ? { status: 503, body: '' } : undefined
    await vi.waitFor(() => expect(renewals).toBeGreaterThan(1), 10_000)
    await kms.encryptKey(systemKey)
    expect(paths().filter((path) => path === 'auth/approle/login')).toHaveLength(1)
    kms.close()
  })
})

describe('Kubernetes', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'asherah-vault-'))
  })
  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  test('sends role and service account token, which is read anew at each login', async () => {
    let jwt = 'first'
    vault.enableLogin('kubernetes', {
      mount: 'k8s/prod',
      accepts: (body) => body.role === 'billing' && body.jwt === jwt,
    })
    const tokenPath = join(folder, 'token')
    writeFileSync(tokenPath, 'first\n')
    const kms = createKms({ method: 'kubernetes', role: 'billing', mount: 'k8s/prod', tokenPath })
    await kms.encryptKey(systemKey)
    jwt = 'second'
    writeFileSync(tokenPath, 'second')
    vault.revokeToken(vault.requests.at(-1)?.token ?? '')
    await kms.encryptKey(systemKey)
    expect(paths().filter((path) => path === 'auth/k8s/prod/login')).toHaveLength(2)
  })

  test('no service account token: a KmsError that names the file', async () => {
    const tokenPath = join(folder, 'nothing')
    await expect(createKms({ method: 'kubernetes', role: 'r', tokenPath }).encryptKey(systemKey)).rejects.toMatchObject(
      {
        code,
        message: expect.stringContaining(tokenPath),
      },
    )
  })
})

describe('a TLS client certificate', () => {
  const server = createTestCertificate()
  const client = createTestCertificate(['client'])
  let tlsVault: FakeVault
  beforeEach(async () => {
    tlsVault = await startFakeVault({ tls: { ...server, clientCa: client.cert } })
    tlsVault.createKey('asherah')
    tlsVault.enableLogin('cert', { accepts: (body) => body.name === undefined || body.name === 'billing' })
  })
  afterEach(() => tlsVault.close())

  test('logs in with it; ca names Vault’s authority', async () => {
    const kms = createKms({ method: 'cert', ...client, role: 'billing' }, { address: tlsVault.url, ca: server.cert })
    expect(await kms.decryptKey(await kms.encryptKey(systemKey))).toEqual(systemKey)
    expect(tlsVault.requests[0]).toMatchObject({ path: '/v1/auth/cert/login', body: { name: 'billing' } })
  })

  test('a certificate of another authority is refused by Vault', async () => {
    const kms = createKms(
      { method: 'cert', ...createTestCertificate(['x']) },
      { address: tlsVault.url, ca: server.cert },
    )
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('failed to match all constraints'),
    })
  })

  test('without ca, a Vault whose certificate nobody vouches for is not talked to', async () => {
    const kms = createKms({ method: 'cert', ...client }, { address: tlsVault.url, maxAttempts: 1 })
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('cannot be reached'),
    })
    expect(tlsVault.requests).toEqual([])
  })
})

test('close ends a login that is not answered, though the dispatcher is not ours', async () => {
  vault.fault = () => 'hang'
  const dispatcher = new Agent()
  const settings = { dispatcher, timeoutMs: 600_000, attemptTimeoutMs: 600_000 }
  const kms = createKms({ method: 'token', token: vault.createToken() }, settings)
  const call = kms.encryptKey(systemKey)
  await vi.waitFor(() => expect(vault.requests).toHaveLength(1))
  kms.close()
  await expect(call).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
  await dispatcher.destroy()
})

describe('a given token', () => {
  test('D-077 is renewed before it expires', async () => {
    const kms = createKms({ method: 'token', token: vault.createToken({ ttlSeconds: 3 }) })
    for (let i = 0; i < 8; i++) {
      await kms.encryptKey(systemKey)
      await sleep(500)
    }
    expect(paths().filter((path) => path === 'auth/token/renew-self').length).toBeGreaterThan(0)
    kms.close()
  })

  test('that cannot be renewed: a warning while it lives, and a KmsError afterwards', async () => {
    const publish = vi.spyOn(channels.warning, 'publish')
    const kms = createKms({ method: 'token', token: vault.createToken({ ttlSeconds: 1, renewable: false }) })
    await kms.encryptKey(systemKey)
    await vi.waitFor(
      () => expect(publish.mock.calls.map(([event]) => event.code)).toEqual(['VAULT_TOKEN_EXPIRES']),
      2_000,
    )
    await sleep(500)
    await expect(kms.encryptKey(systemKey)).rejects.toMatchObject({
      code,
      message: expect.stringContaining('status 403'),
    })
  })

  test('that may not look at itself is used all the same', async () => {
    vault.fault = ({ path }) => (path.endsWith('lookup-self') ? { status: 403, body: '' } : undefined)
    await createKms({ method: 'token', token: vault.createToken() }).encryptKey(systemKey)
  })

  test('read by a function is read again when Vault refuses it', async () => {
    const read = vi.fn(async () => `${vault.createToken()}\n`)
    const kms = createKms({ method: 'token', token: read })
    await kms.encryptKey(systemKey)
    vault.revokeToken(vault.requests.at(-1)?.token ?? '')
    await kms.encryptKey(systemKey)
    expect(read).toHaveBeenCalledTimes(2)
  })

  test.each([
    ['throws', () => Promise.reject(new Error('no file'))],
    ['gives a line break', () => 'a\nb'],
    ['gives nothing', () => ''],
  ])('read by a function that %s: an Asherah error', async (_, token) => {
    await expect(createKms({ method: 'token', token }).encryptKey(systemKey)).rejects.toMatchObject({
      code: expect.stringMatching(/^ERR_ASHERAH_(KMS|INVALID_CONFIG)$/),
    })
  })
})
