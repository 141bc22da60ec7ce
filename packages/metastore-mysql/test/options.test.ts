import { InvalidConfigError } from '@asherah/core/backend'
import { createMysqlMetastore } from '@asherah/metastore-mysql'
import { expect, test } from 'vitest'
import { checkOptions } from '../src/options.ts'

const connectionString = 'mysql://user:s3cret@db.example/keys'

function refusal(options: object): Error {
  try {
    Reflect.apply(createMysqlMetastore, undefined, [options])
  } catch (error) {
    if (error instanceof InvalidConfigError) return error
    throw error
  }
  return expect.fail('the options were accepted')
}

test.each([
  ['no source (D-069)', {}, 'exactly one of'],
  ['a misspelt option', { connectionString, maxConnection: 3 }, 'maxConnections'],
  ['no host (D-069)', { config: { user: 'u', database: 'd' } }, 'host'],
  ['no database (D-069)', { connectionString: 'mysql://u@h/' }, 'database'],
  ['no user (D-069)', { connectionString: 'tcp(h)/d' }, 'user'],
  ['pool limits of a pool of the caller (D-065)', { pool: { getConnection() {} }, maxLifetimeMs: 3 }, "pool's own"],
  ['a pool that is none', { pool: { connect() {} } }, 'mysql2/promise'],
  [
    'a consistency that is SQL (D-068)',
    { connectionString, replicaReadConsistency: "eventual'; drop" },
    'eventual, session',
  ],
  [
    'an address without the name in its certificate',
    { connectionString: 'mysql://u:s3cret@10.0.0.1/d' },
    'tls.serverName',
  ],
])('%s is an InvalidConfigError that says what is allowed, and no password', (_, options, hint) => {
  const { message } = refusal(options)
  expect(message).toContain(hint)
  expect(message).not.toContain('s3cret')
})

/** undefined: no TLS; else whether the certificate is verified. */
function verified(host: string, parameter: string): boolean | undefined {
  const { connections } = checkOptions({ connectionString: `mysql://u:p@${host}/d?${parameter}` })
  return 'own' in connections ? connections.own.tls?.rejectUnauthorized : expect.fail('a pool')
}

test.each([
  ['', true, undefined],
  ['ssl-mode=DISABLED', undefined, undefined],
  ['ssl-mode=PREFERRED', true, undefined],
  ['ssl-mode=REQUIRED', true, true],
  ['ssl-mode=VERIFY_CA', true, true],
  ['ssl-mode=verify_identity', true, true],
  ['tls=true', true, true],
  ['tls=false', undefined, undefined],
  ['tls=preferred', true, undefined],
  ['tls=skip-verify', false, false],
])('D-066 %j: verified %s on a remote host, %s on a local one', (parameter, remote, local) => {
  expect(verified('db.example', parameter)).toBe(remote)
  expect(verified('localhost', parameter)).toBe(local)
})

test.each(['ssl-mode=off', 'tls=custom', 'tls=', 'tls=true&ssl-mode=REQUIRED'])('D-066 %s is refused', (parameter) => {
  expect(refusal({ connectionString: `${connectionString}?${parameter}` }).message).toMatch(/ssl-mode/)
})

test.each([
  ['mysql://u:p%40%3A@h/d', { host: 'h', port: 3306, user: 'u', password: 'p@:', database: 'd' }],
  ['mariadb://u@[::1]:3307/d', { host: '::1', port: 3307, user: 'u', database: 'd' }],
  [
    'u:p@ss:w/o%rd@tcp(h:3307)/d?parseTime=true&loc=Local&time_zone=%27SYSTEM%27',
    { host: 'h', port: 3307, user: 'u', password: 'p@ss:w/o%rd', database: 'd' },
  ],
  ['u@tcp([::1]:3307)/d', { host: '::1', port: 3307, user: 'u', database: 'd' }],
  ['u@unix(/tmp/mysql.sock)/d', { host: '/tmp/mysql.sock', port: 3306, user: 'u', database: 'd' }],
  ['u:p@/d', { host: '127.0.0.1', port: 3306, user: 'u', password: 'p', database: 'd' }],
  ['mysql://u:p@tcp(localhost:3307)/d', { host: 'localhost', port: 3307, user: 'u', password: 'p', database: 'd' }],
])('the connection string %s', (text, expected) => {
  const { connections } = checkOptions({ connectionString: text })
  expect('own' in connections && connections.own.connection).toEqual(expected)
})

test.each([
  'mysql://u:s3cret@h/d?sslmode=require',
  'u:s3cret@tcp(h:3306)/d?max_execution_time=1',
  'postgres://u:s3cret@h/d',
  'mysql://u:s3cret@h/d?ssl-ca=/missing/ca.pem',
  's3cret',
])('the connection string %s is refused, without its password', (text) => {
  expect(refusal({ connectionString: text }).message).not.toContain('s3cret')
})

/** What the string says, and an option that says another. */
function limits(parameters: string, options: object = {}): readonly [connectTimeoutMs: number, queryTimeoutMs: number] {
  const { connections, queryTimeoutMs } = checkOptions({
    connectionString: `u:s3cret@tcp(localhost:3306)/d?parseTime=true&${parameters}`,
    ...options,
  })
  return 'own' in connections ? [connections.own.limits.connectTimeoutMs, queryTimeoutMs] : expect.fail('a pool')
}

test.each([
  ['', 10_000, 10_000],
  ['timeout=30s', 30_000, 10_000],
  ['readTimeout=500ms', 10_000, 500],
  ['writeTimeout=1m30s', 10_000, 90_000],
  ['timeout=1h30m&readTimeout=2s&writeTimeout=1.5m', 5_400_000, 90_000],
  ['readTimeout=20s&writeTimeout=5s', 10_000, 20_000],
  ['timeout=%2B.5s&readTimeout=1500us&writeTimeout=1%C2%B5s', 500, 2],
  ['timeout=1ns', 1, 10_000],
  ['timeout=596h', 2_145_600_000, 10_000],
  ['timeout=0&readTimeout=0s&writeTimeout=0', 10_000, 10_000],
  ['readTimeout=0&writeTimeout=3s', 10_000, 3_000],
])('D-122 the durations of a Go DSN, %j: connect in %d ms, answer in %d ms', (parameters, connect, query) => {
  expect(limits(parameters)).toEqual([connect, query])
})

test('D-122 the durations of a URL count too, and an option wins', () => {
  const { connections, queryTimeoutMs } = checkOptions({
    connectionString: `${connectionString}?timeout=7s&readTimeout=8s`,
  })
  expect('own' in connections && connections.own.limits.connectTimeoutMs).toBe(7_000)
  expect(queryTimeoutMs).toBe(8_000)
  const options = { connectTimeoutMs: 1, queryTimeoutMs: 2 }
  expect(limits('timeout=30s&readTimeout=30s', options)).toEqual([1, 2])
  expect(limits('timeout=30s&readTimeout=30s', { connectTimeoutMs: undefined })).toEqual([30_000, 30_000])
})

test.each(['60', '-1s', '', 's', '1h30', '1 s', '1d', '1S', '1e3s', '.s', 'Infinity', '597h', '30s;', '1'.repeat(90)])(
  'D-122 %j is no duration of a Go DSN',
  (text) => {
    for (const name of ['timeout', 'readTimeout', 'writeTimeout']) {
      const dsn = `u:s3cret@tcp(localhost:3306)/d?${name}=${encodeURIComponent(text)}`
      const { message } = refusal({ connectionString: dsn })
      expect(message).toBe(
        `connectionString: ${name} must be a duration of Go, such as 30s, 1m30s or 500ms, of at most 596h`,
      )
    }
  },
)
