import { checkServerOptions, type ParsedConnectionString, type ServerOptions } from '@asherah/sql-shared'
import { expect, test } from 'vitest'

const connection = { host: '10.0.0.1', user: 'u', database: 'd' }

/** Options beside a connection string that says this. */
function settings(said: Partial<ParsedConnectionString>, options: Partial<ServerOptions<object>>) {
  return checkServerOptions<object>(
    {
      factory: 'createTestMetastore',
      defaultPort: 1,
      maxNameBytes: 64,
      parseConnectionString: () => ({ connection, tls: undefined, ...said }),
      pool: { what: 'a pool', method: 'connect' },
    },
    { connectionString: 'text', ...options },
  )
}

function tls(said: ParsedConnectionString['tls'], option: ServerOptions<object>['tls']) {
  const { connections } = settings({ tls: said }, option === undefined ? {} : { tls: option })
  return 'own' in connections ? connections.own.tls : expect.fail('a pool')
}

test('the option tls adds to the files that a connection string names', () => {
  expect(tls({ ca: 'CA' }, { serverName: 'db.example' })).toMatchObject({ ca: 'CA', servername: 'db.example' })
  expect(tls({ ca: 'CA' }, true)).toMatchObject({ ca: 'CA', rejectUnauthorized: true })
  expect(tls({ ca: 'CA' }, { ca: 'another' })).toMatchObject({ ca: 'another' })
  expect(tls(undefined, { serverName: 'db.example' })).toMatchObject({ servername: 'db.example' })
})

test('D-066 a string that does not verify the certificate takes nothing from an option that does', () => {
  const said = { ca: 'CA', allowUnverifiedCertificate: true }
  expect(tls(said, undefined)?.rejectUnauthorized).toBe(false)
  expect(tls(said, true)?.rejectUnauthorized).toBe(true)
  expect(tls(said, { serverName: 'db.example' })).toMatchObject({ ca: 'CA', rejectUnauthorized: true })
  expect(tls({ ca: 'CA' }, { allowUnverifiedCertificate: true })?.rejectUnauthorized).toBe(false)
  expect(() => tls(false, { serverName: 'db.example' })).toThrow('turns TLS off')
  expect(tls({ ca: 'CA' }, false)).toBeUndefined()
})

test('limits of a connection string hold unless an option says another', () => {
  const limits = { connectTimeoutMs: 1, queryTimeoutMs: 2 }
  expect(settings({ limits }, {})).toMatchObject({
    connections: { own: { limits: { connectTimeoutMs: 1, acquireTimeoutMs: 10_000 } } },
    queryTimeoutMs: 2,
    retryTimeoutMs: 5_000,
  })
  expect(settings({ limits }, { connectTimeoutMs: 3, queryTimeoutMs: 4 })).toMatchObject({
    connections: { own: { limits: { connectTimeoutMs: 3 } } },
    queryTimeoutMs: 4,
  })
})
