import { createVaultKms } from '@asherah/kms-vault'
import { Agent } from 'undici'
import { expect, test } from 'vitest'

const auth = { method: 'token', token: 'hvs.x' }
const good = { address: 'https://vault.example.com:8200', transitKey: 'asherah', auth }

test.each<[string, object, string]>([
  ['no address', { ...good, address: undefined }, 'address must be text'],
  ['an address that is no URL', { ...good, address: 'https://vault:8200:x' }, 'address must be'],
  ['an address of host and port', { ...good, address: 'vault.example.com:8200' }, 'address has no scheme'],
  ['an address of a number and port', { ...good, address: '10.0.0.7:8200' }, 'address has no scheme'],
  ['an address of a host alone', { ...good, address: 'vault.example.com' }, 'address has no scheme'],
  ['http over a network', { ...good, address: 'http://vault.example.com' }, 'allowInsecureHttp'],
  [
    'http to a name that begins like this machine’s',
    { ...good, address: 'http://127.0.0.1.example.com' },
    'allowInsecureHttp',
  ],
  ['a password in the address', { ...good, address: 'https://user:hunter2@vault' }, 'without user, password'],
  ['a query in the address', { ...good, address: 'https://vault/?x' }, 'without user, password'],
  ['no key', { ...good, transitKey: '' }, 'transitKey must be text'],
  ['D-078 a key of dots', { ...good, transitKey: '..' }, 'transitKey is not a path'],
  ['D-078 a mount that climbs', { ...good, transitMount: 'a/../sys' }, 'transitMount is not a path'],
  ['D-078 a mount with an empty part', { ...good, transitMount: '/transit' }, 'transitMount is not a path'],
  ['D-078 a lone surrogate', { ...good, transitKey: '\uD800' }, 'transitKey is not a path'],
  ['a namespace with a line break', { ...good, namespace: 'a\r\nx: y' }, 'namespace has characters'],
  ['a token with a line break', { ...good, auth: { method: 'token', token: 'a\n' } }, 'auth.token has characters'],
  ['no auth', { ...good, auth: undefined }, 'auth.method must be one of token, kubernetes, approle, cert'],
  ['an unknown method', { ...good, auth: { method: 'ldap' } }, 'auth.method must be one of'],
  ['an option of another method', { ...good, auth: { ...auth, role: 'x' } }, 'has no option "role"'],
  ['AppRole without a secret', { ...good, auth: { method: 'approle', roleId: 'x' } }, 'auth.secretId must be text'],
  ['Kubernetes without a role', { ...good, auth: { method: 'kubernetes' } }, 'auth.role must be text'],
  [
    'D-078 an auth mount that climbs',
    { ...good, auth: { method: 'kubernetes', role: 'r', mount: '..' } },
    'auth.mount',
  ],
  ['a dispatcher that is none', { ...good, dispatcher: {} }, 'dispatcher must be'],
  ['a dispatcher and TLS settings', { ...good, dispatcher: new Agent(), ca: 'x' }, 'its own TLS settings'],
  ['an unknown option', { ...good, transitkey: 'x' }, 'did you mean transitKey?'],
  ['a timeout of 0', { ...good, timeoutMs: 0 }, 'timeoutMs must be a whole number from 1'],
  ['too many attempts', { ...good, maxAttempts: 11 }, 'from 1 to 10'],
])('refused: %s', (_, options, message) => {
  expect(() => Reflect.apply(createVaultKms, undefined, [options])).toThrow(
    expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG', message: expect.stringContaining(message) }),
  )
})

test('the password of an address is not in the message', () => {
  expect(() => Reflect.apply(createVaultKms, undefined, [{ ...good, address: 'https://u:hunter2@vault' }])).toThrow(
    expect.not.stringContaining('hunter2'),
  )
})

test.each(['http://127.0.0.1:8200', 'http://localhost', 'http://[::1]:8200', 'https://vault/prefix/'])(
  'taken: %s',
  (address) => {
    createVaultKms({ address, transitKey: 'k', auth: { method: 'token', token: 't' } }).close()
  },
)

test('allowInsecureHttp lets http pass', () => {
  const options = { address: 'http://vault', allowInsecureHttp: true, transitKey: 'k' }
  createVaultKms({ ...options, auth: { method: 'token', token: 't' } }).close()
})
