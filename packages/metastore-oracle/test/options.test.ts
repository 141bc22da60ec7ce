import { createOracleMetastore, type OraclePool } from '@asherah/metastore-oracle'
import { freePort } from '@asherah/testing/services'
import oracledb from 'oracledb'
import { expect, expectTypeOf, test } from 'vitest'
import { isProtected, parseConnectionString } from '../src/connection-string.ts'

test.each([
  ['oracle://me:pw@db.example/FREEPDB1', 'tcps://db.example:2484/FREEPDB1'],
  ['oracle://me:pw@db.example:1522/svc.example.com', 'tcps://db.example:1522/svc.example.com'],
  ['oracle://me:pw@db.example/svc?ssl=false', 'tcp://db.example:1521/svc'],
  ['oracle://me:pw@localhost/svc', 'tcp://localhost:1521/svc'],
  ['oracle://me:pw@127.0.0.1:1600/svc', 'tcp://127.0.0.1:1600/svc'],
  ['oracle://me:pw@localhost/svc?ssl=true', 'tcps://localhost:2484/svc'],
  ['oracle://me:pw@[::1]/svc', 'tcp://[::1]:1521/svc'],
  [
    'oracle://me:pw@db.example/svc?connect_timeout=5&expire_time=2',
    'tcps://db.example:2484/svc?connect_timeout=5&expire_time=2',
  ],
])('%s (D-066)', (text, connectString) => {
  expect(parseConnectionString(text)).toEqual({ user: 'me', password: 'pw', connectString })
})

test('signs in a password are percent-encoded', () => {
  expect(parseConnectionString('oracle://me:p%40%3A%2F%3F%23%25%3B%27%22w@db.example/svc').password).toBe(
    'p@:/?#%;\'"w',
  )
})

test.each([
  ['', /non-empty text/],
  ['mysql://me:hunter2@db.example/svc', /must be oracle:/],
  ['me/hunter2@db.example/svc', /must be oracle:/],
  ['oracle://me:hunter2@/svc', /must be oracle:|host is missing/],
  ['oracle://me:hunter2@db.example', /service name is missing/],
  ['oracle://me:hunter2@db.example/a/b', /service name has signs/],
  ['oracle://me@db.example/svc', /user or password is missing/],
  ['oracle://me:hunter2@db.example/svc?ssl=maybe', /ssl must be/],
  ['oracle://me:hunter2@db.example/svc?sid=x', /"sid" is not supported/],
  ['oracle://me:hunter2%@db.example/svc', /%25/],
])('%s is refused, without the password', (text, message) => {
  expect(() => parseConnectionString(text)).toThrow(message)
  expect(() => parseConnectionString(text)).not.toThrow(/hunter2/)
})

test('a connect string must say TLS unless the host is this machine (D-066)', () => {
  const fits = [
    'tcps://db.example:2484/svc',
    '(DESCRIPTION=(ADDRESS=(PROTOCOL=TCPS)(HOST=db.example)))',
    'localhost/svc',
    '127.0.0.1:1521/svc',
  ]
  const not = [
    'db.example/svc',
    'tcp://db.example:1521/svc',
    'ALIAS',
    '(DESCRIPTION=(ADDRESS=(PROTOCOL=TCP)(HOST=db.example)))',
  ]
  expect(fits.map(isProtected)).toEqual(fits.map(() => true))
  expect(not.map(isProtected)).toEqual(not.map(() => false))
  const config = { user: 'me', password: 'hunter2', connectString: 'db.example/svc' }
  expect(() => createOracleMetastore({ config })).toThrow(/does not say TLS/)
  expect(createOracleMetastore({ config: { ...config, allowUnencrypted: true } }).maxKeyId).toEqual({
    unit: 'bytes',
    length: 255,
  })
})

test('options that cannot be used are refused by name (D-065, D-069)', () => {
  const bad = (options: object, message: RegExp) => expect(() => createOracleMetastore(options)).toThrow(message)
  bad({}, /exactly one of/)
  bad({ connectionString: 'oracle://me:pw@localhost/svc', tabelName: 'x' }, /did you mean tableName/)
  bad({ connectionString: 'oracle://me:pw@localhost/svc', tableName: 'a"b' }, /double quote/)
  bad({ pool: {} }, /pool must be a Pool of oracledb/)
  bad({ pool: { getConnection() {} }, maxConnections: 2 }, /maxConnections is for own connections/)
})

test('the real driver: nobody listens there, and the error has no password', async () => {
  const connectionString = `oracle://me:hunter2@127.0.0.1:${await freePort()}/svc`
  const metastore = createOracleMetastore({ connectionString, retryTimeoutMs: 50 })
  const load = metastore.loadLatest('_SK_a_b')
  await expect(load).rejects.toMatchObject({
    code: 'ERR_ASHERAH_METASTORE',
    cause: { code: expect.stringMatching(/^(NJS|ORA)-/) },
  })
  await expect(load).rejects.not.toThrow(/hunter2/)
  await metastore.close()
})

test('the names of the driver are there, and its pool fits', () => {
  expect([oracledb.thin, oracledb.DB_TYPE_CLOB !== undefined, oracledb.OUT_FORMAT_OBJECT]).toEqual([true, true, 4002])
  expectTypeOf<oracledb.Pool>().toExtend<OraclePool>()
})
