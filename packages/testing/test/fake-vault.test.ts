import { type FakeVault, startFakeVault } from '@asherah/testing/services'
import { afterEach, beforeEach, expect, test } from 'vitest'

let vault: FakeVault
let token: string
beforeEach(async () => {
  vault = await startFakeVault()
  vault.createKey('key')
  token = vault.createToken()
})
afterEach(() => vault.close())

async function post(
  path: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = { 'x-vault-token': token },
) {
  const answer = await fetch(`${vault.url}/v1/${path}`, { method: 'POST', body: JSON.stringify(body), headers })
  const json: { data: { ciphertext: string; plaintext: string }; errors: string[] } = JSON.parse(await answer.text())
  return { status: answer.status, body: json }
}
const plaintext = Buffer.from('secret').toString('base64')

test('encrypts and decrypts, under each version of the key', async () => {
  const first = await post('transit/encrypt/key', { plaintext })
  expect(first).toMatchObject({
    status: 200,
    body: { data: { ciphertext: expect.stringMatching(/^vault:v1:/), key_version: 1 } },
  })
  vault.rotateKey('key')
  const second = await post('transit/encrypt/key', { plaintext })
  expect(second.body.data.ciphertext).toMatch(/^vault:v2:/)
  for (const { body } of [first, second]) {
    expect((await post('transit/decrypt/key', { ciphertext: body.data.ciphertext })).body.data).toEqual({ plaintext })
  }
})

test.each([
  ['no token', 'transit/encrypt/key', { plaintext }, {}, 403, 'permission denied'],
  ['an unknown key', 'transit/encrypt/other', { plaintext }, undefined, 400, 'encryption key not found'],
  ['no such mount', 'other/encrypt/key', { plaintext }, undefined, 404, 'no handler for route'],
  ['what is not base64', 'transit/encrypt/key', { plaintext: '!' }, undefined, 400, 'base64'],
  ['no prefix', 'transit/decrypt/key', { ciphertext: 'x' }, undefined, 400, 'no prefix'],
  ['a version to come', 'transit/decrypt/key', { ciphertext: 'vault:v9:AAAA' }, undefined, 400, 'too new'],
  ['a login that is not enabled', 'auth/approle/login', {}, {}, 404, 'no handler for route'],
])('%s: refused as Vault does', async (_, path, body, headers, status, words) => {
  const answer = await post(path, body, headers)
  expect(answer.status).toBe(status)
  expect(answer.body.errors.join()).toContain(words)
})

test('tokens expire, are renewed up to their longest life, and can be revoked', async () => {
  const headers = { 'x-vault-token': vault.createToken({ ttlSeconds: 1, maxTtlSeconds: 2 }) }
  expect(await post('auth/token/renew-self', {}, headers)).toMatchObject({
    status: 200,
    body: { auth: { client_token: headers['x-vault-token'], lease_duration: 1, renewable: true } },
  })
  await new Promise((resolve) => setTimeout(resolve, 1_100))
  expect(await post('transit/encrypt/key', { plaintext }, headers)).toMatchObject({ status: 403 })
  vault.revokeToken(token)
  expect(await post('transit/encrypt/key', { plaintext })).toMatchObject({ status: 403 })
})
