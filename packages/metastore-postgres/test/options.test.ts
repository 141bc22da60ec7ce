import { InvalidConfigError } from '@asherah/core/backend'
import { createPostgresMetastore } from '@asherah/metastore-postgres'
import { expect, test } from 'vitest'
import { checkOptions } from '../src/options.ts'

const connectionString = 'postgres://user:s3cret@db.example/keys'
const config = { host: 'db.example', user: 'user', database: 'keys', password: 's3cret' }

function refusal(options: object): Error {
  try {
    Reflect.apply(createPostgresMetastore, undefined, [options])
  } catch (error) {
    if (error instanceof InvalidConfigError) return error
    throw error
  }
  return expect.fail('the options were accepted')
}

test.each([
  ['no source (D-069)', {}, 'exactly one of'],
  ['two sources', { connectionString, config }, 'exactly one of'],
  ['a misspelt option', { connectionString, maxConnection: 3 }, 'maxConnections'],
  ['no host (D-069)', { config: { ...config, host: undefined } }, 'host'],
  ['no database (D-069)', { config: { ...config, database: '' } }, 'database'],
  ['no user (D-069)', { connectionString: 'postgres://db.example/keys' }, 'user'],
  ['a port that is none', { config: { ...config, port: 70_000 } }, 'port'],
  ['a password that is a number', { config: { ...config, password: 1 } }, 'password'],
  ['a misspelt part', { config: { ...config, hostname: 'x' } }, 'host'],
  ['pool limits of a pool of the caller (D-065)', { pool: { connect() {} }, maxConnections: 3 }, "pool's own"],
  ['TLS of a pool of the caller', { pool: { connect() {} }, tls: true }, "pool's own"],
  ['a pool that is none', { pool: {} }, 'Pool of pg'],
  ['no connections', { connectionString, maxConnections: 0 }, 'maxConnections'],
  ['more idle than allowed', { connectionString, maxConnections: 2, minIdleConnections: 3 }, 'minIdleConnections'],
  ['a time without end', { connectionString, queryTimeoutMs: Number.POSITIVE_INFINITY }, 'queryTimeoutMs'],
  [
    'a consistency that is SQL (D-068)',
    { connectionString, replicaReadConsistency: "eventual'; drop table x" },
    'eventual, session, global',
  ],
  ['a table name that the server would cut', { connectionString, tableName: 'x'.repeat(64) }, 'tableName'],
  ['an empty schema', { connectionString, schemaName: '' }, 'schemaName'],
  ['an empty suffix', { connectionString, regionSuffix: '' }, 'regionSuffix'],
  ['TLS off and on', { connectionString: `${connectionString}?sslmode=disable`, tls: true }, 'tls'],
])('%s is an InvalidConfigError that says what is allowed, and no password', (_, options, hint) => {
  const { message } = refusal(options)
  expect(message).toContain(hint)
  expect(message).not.toContain('s3cret')
})

/** undefined: no TLS; else whether the certificate is verified. */
function verified(host: string, sslmode?: string): boolean | undefined {
  const query = sslmode === undefined ? '' : `?sslmode=${sslmode}`
  const { connections } = checkOptions({ connectionString: `postgres://u:p@${host}/d${query}` })
  return 'own' in connections ? connections.own.tls?.rejectUnauthorized : expect.fail('a pool')
}

test.each([
  [undefined, true, undefined],
  ['disable', undefined, undefined],
  ['allow', true, undefined],
  ['prefer', true, undefined],
  ['require', true, true],
  ['verify-ca', true, true],
  ['verify-full', true, true],
])('D-066 sslmode %s: verified %s on a remote host, %s on a local one', (mode, remote, local) => {
  expect(verified('db.example', mode)).toBe(remote)
  expect(verified('localhost', mode)).toBe(local)
})

test.each(['no-verify', 'REQUIRE', '', 'true'])('D-066 sslmode %j is refused', (mode) => {
  expect(refusal({ connectionString: `${connectionString}?sslmode=${mode}` }).message).toContain('sslmode')
})

test.each([
  ['postgres://u:p%40%3A%2F%23@h/d', { host: 'h', port: 5432, user: 'u', password: 'p@:/#', database: 'd' }],
  ['postgresql://u@[::1]:6000/d', { host: '::1', port: 6000, user: 'u', database: 'd' }],
  [
    'postgres:///d?host=/var/run/pg&user=u&password=p',
    { host: '/var/run/pg', port: 5432, user: 'u', password: 'p', database: 'd' },
  ],
  ['host=h user=u dbname=d', { host: 'h', port: 5432, user: 'u', database: 'd' }],
  [
    " host = h port=6000 user='a b' password='it\\'s \\\\' dbname=d sslmode=disable ",
    { host: 'h', port: 6000, user: 'a b', password: "it's \\", database: 'd' },
  ],
])('the connection string %s', (text, expected) => {
  const { connections } = checkOptions({ connectionString: text })
  expect('own' in connections && connections.own.connection).toEqual(expected)
})

test.each([
  'postgres://u:s3cret@h/d?ssl_mode=require',
  'postgres://u:s3cret@h/d?target_session_attrs=any',
  'postgres://u:s3cret@h/d?sslrootcert=/missing/ca.pem',
  'mysql://u:s3cret@h/d',
  'host=h password=s3cret password=x user=u dbname=d',
  "host=h password='s3cret user=u dbname=d",
  's3cret',
])('the connection string %s is refused, without its password', (text) => {
  expect(refusal({ connectionString: text }).message).not.toContain('s3cret')
})

test('the region suffix and the longest id are shown to the factory', () => {
  const metastore = createPostgresMetastore({ connectionString, regionSuffix: 'us-west-2', maxKeyIdLength: 512 })
  expect(metastore).toMatchObject({ regionSuffix: 'us-west-2', maxKeyId: { unit: 'codePoints', length: 512 } })
  expect('regionSuffix' in createPostgresMetastore({ connectionString })).toBe(false)
})
