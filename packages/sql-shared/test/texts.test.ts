import { InvalidConfigError } from '@asherah/core/backend'
import { isLocalHost, parseUrl, tlsSettings, utcText } from '@asherah/sql-shared'
import { expect, test } from 'vitest'
import { revokedText } from '../src/revoked-text.ts'

test.each([
  ['{"Created":1,"Key":"AA=="}', '{"Revoked":true,"Created":1,"Key":"AA=="}'],
  [' { "Created":1e0, "X":12345678901234567890}', ' {"Revoked":true, "Created":1e0, "X":12345678901234567890}'],
  ['{"Revoked": false,"X":12345678901234567890}', '{"Revoked": true,"X":12345678901234567890}'],
  ['{"Created":1,"Revoked":null}', '{"Created":1,"Revoked":true}'],
  ['{"Key":"\\"Revoked\\":false"}', '{"Revoked":true,"Key":"\\"Revoked\\":false"}'],
  ['{"X":{"Revoked":false},"Created":1}', '{"Revoked":true,"X":{"Revoked":false},"Created":1}'],
  ['{"X":{"Revoked":false},"Revoked":false}', '{"X":{"Revoked":false},"Revoked":true}'],
  ['{"X":{"Revoked":false},"\\u0052evoked":false}', '{"X":{"Revoked":false},"Revoked":true}'],
])('the text of a revoked row keeps everything else: %s', (text, expected) => {
  expect(revokedText(text)).toBe(expected)
})

test('UTC text', () => {
  expect(utcText(0)).toBe('1970-01-01 00:00:00')
  expect(utcText(253_402_300_799)).toBe('9999-12-31 23:59:59')
})

test.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['/var/run/postgresql', true],
  ['127.example.com', false],
  ['localhost.example.com', false],
  ['10.0.0.1', false],
  ['db.internal', false],
])('the host %s is local: %s', (host, local) => {
  expect(isLocalHost(host)).toBe(local)
  expect(tlsSettings(undefined, host)?.rejectUnauthorized).toBe(local ? undefined : true)
})

test('D-066 TLS is verified unless the option that turns it off says so', () => {
  expect(tlsSettings({}, 'localhost')?.rejectUnauthorized).toBe(true)
  expect(tlsSettings(true, 'localhost')?.servername).toBe('localhost')
  expect(tlsSettings(true, '10.0.0.1')?.servername).toBe(undefined)
  expect(tlsSettings({ serverName: 'db' }, '10.0.0.1')?.servername).toBe('db')
  expect(tlsSettings(false, 'db.internal')).toBe(undefined)
  expect(tlsSettings({ allowUnverifiedCertificate: true }, 'db.internal')?.rejectUnauthorized).toBe(false)
  const bad: object[] = [{ rejectUnauthorized: false }, { ca: 1 }, { cert: 'x' }, { allowUnverifiedCertificate: 'no' }]
  for (const options of bad) expect(() => tlsSettings(options, 'db.internal')).toThrow(InvalidConfigError)
})

test('a URL is taken apart, its parts decoded', () => {
  expect(parseUrl('db://u%40x:p%3A%2F%3F%23%25@[::1]:99/d%20b?a=1', ['db'])).toEqual({
    host: '::1',
    port: 99,
    user: 'u@x',
    password: 'p:/?#%',
    database: 'd b',
    parameters: new Map([['a', '1']]),
  })
})

test.each([
  'db://u:s3cret@host:port/d',
  'db://u:s3cret%zz@host/d',
  'db://u:s3cret@host/d#x',
  'db://u:s3cret@host/d?a=1&a=2',
  'other://u:s3cret@host/d',
  's3cret',
])('a bad URL is an InvalidConfigError without its password: %s', (url) => {
  try {
    parseUrl(url, ['db'])
    expect.fail('it was accepted')
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidConfigError)
    expect(String(error)).not.toContain('s3cret')
  }
})
