import { createMssqlMetastore } from '@asherah/metastore-mssql'
import { createTdsServer } from '@asherah/testing/services'
import { afterEach, expect, test } from 'vitest'
import { freshRow } from './records.ts'
import { connect, LOGIN, startStandIn } from './stand-in.ts'

const TOKEN_LOGIN = { name: 'app', token: 'a.test.token' }
const server = await startStandIn({
  logins: [LOGIN, TOKEN_LOGIN, { name: 'reader', password: 'reader', denied: ['INSERT', 'UPDATE'] }],
})
afterEach(() => server.faults.clear())

const at = (port: number) => ({ host: '127.0.0.1', port, database: 'Keys', user: LOGIN.name, password: LOGIN.password })
const failsFast = { retryTimeoutMs: 0 }

test('a wrong password is an error at once, without the password', async () => {
  const config = { ...at(server.port), password: 'hunter2' }
  const metastore = connect(server, { config })
  const before = server.logins.length
  const refused = expect(metastore.loadLatest('_SK_a_b')).rejects
  await refused.toMatchObject({ code: 'ERR_ASHERAH_METASTORE', cause: { number: 18456 } })
  expect(server.logins.length).toBe(before + 1)
  await expect(metastore.loadLatest('_SK_a_b')).rejects.not.toThrow(/hunter2/)
})

test('a database that is not there is an error that names it', async () => {
  const metastore = connect(server, { config: { ...at(server.port), database: 'Other' }, ...failsFast })
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toThrow(/Cannot open database "Other"/)
})

test('a table that is not there is an error that names it; check says so', async () => {
  const metastore = connect(server, { tableName: 'nothing', ...failsFast })
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toThrow(/Invalid object name 'dbo.nothing'/)
  const { ok, findings } = await metastore.check()
  expect(ok).toBe(false)
  expect(findings.find(({ level }) => level === 'fail')?.message).toMatch(/no table \[dbo\]\.\[nothing\]/)
})

test('a login that may not insert loads, and its store is an error (229), not a duplicate (D-049)', async () => {
  const row = freshRow()
  await connect(server).store(row.keyId, row.created, row)
  const reader = connect(server, { config: { ...at(server.port), user: 'reader', password: 'reader' } })
  expect(await reader.load(row.keyId, row.created)).toEqual(row)
  await expect(reader.store(row.keyId, row.created, row)).rejects.toMatchObject({ cause: { number: 229 } })
  await expect(reader.markRevoked(row.keyId, row.created)).rejects.toMatchObject({ cause: { number: 229 } })
})

test('a database that stays read-only is an error at store (3906) after retryTimeoutMs, and reads go on', async () => {
  const replica = await startStandIn()
  replica.setReadOnly('Keys', true)
  const row = freshRow()
  const metastore = connect(replica, { retryTimeoutMs: 50 })
  await expect(metastore.store(row.keyId, row.created, row)).rejects.toMatchObject({ cause: { number: 3906 } })
  expect(await metastore.load(row.keyId, row.created)).toBeNull()
})

test('a database that is read-only for a moment, as in a failover, has the row once', async () => {
  const server = await startStandIn()
  server.setReadOnly('Keys', true)
  const row = freshRow()
  const store = connect(server).store(row.keyId, row.created, row)
  await expect.poll(() => server.logins.length).toBeGreaterThan(1)
  server.setReadOnly('Keys', false)
  expect(await store).toBe(true)
})

test('passing faults at login are tried again: 40613, a dropped connection', async () => {
  const row = freshRow()
  const error = { number: 40613, message: 'the database is not available', severity: 20 }
  server.faults.onLogin({ what: { error } })
  server.faults.onLogin({ what: 'drop' })
  expect(await connect(server).store(row.keyId, row.created, row)).toBe(true)
})

test('a login that never ends is an error after connectTimeoutMs', async () => {
  server.faults.onLogin({ what: 'hang' })
  const metastore = connect(server, { connectTimeoutMs: 100, ...failsFast })
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
})

test('nobody listens there: an error, after the time for retries', async () => {
  const gone = await createTdsServer({ logins: [], databases: {} })
  await gone.close()
  const metastore = connect(server, { config: at(gone.port), retryTimeoutMs: 100 })
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
})

test('TLS is verified: a certificate of somebody else is refused, at once (D-066)', async () => {
  const other = await startStandIn()
  const before = server.logins.length
  const metastore = connect(server, { tls: { ca: other.ca } })
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  const byDefault = connect(server, { tls: true })
  await expect(byDefault.loadLatest('_SK_a_b')).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
  expect(server.logins.length).toBe(before)
})

test('TLS that the server does not have is refused: the password is not sent in clear (D-066)', async () => {
  const plain = await startStandIn({ encryption: 'unsupported' })
  await expect(connect(plain).loadLatest('_SK_a_b')).rejects.toThrow(/did not negotiate encryption/)
  expect(plain.logins).toHaveLength(0)
})

test('strict encryption (TDS 8), unverified and no TLS work where they are asked for', async () => {
  const row = freshRow()
  const strict = connect(server, { config: { ...at(server.port), strictEncryption: true } })
  expect(await strict.store(row.keyId, row.created, row)).toBe(true)
  expect(await connect(server, { tls: { allowUnverifiedCertificate: true } }).load(row.keyId, row.created)).toEqual(row)
  const text = `Server=127.0.0.1,${server.port};Database=Keys;User ID=me;Password="${LOGIN.password.replaceAll('"', '""')}"`
  for (const tls of [';Encrypt=False', '', ';Encrypt=True;TrustServerCertificate=True']) {
    const metastore = connect(server, { connectionString: text + tls })
    expect(await metastore.load(row.keyId, row.created)).toEqual(row)
  }
  const unseen = { connectionString: `${text};Encrypt=Strict;TrustServerCertificate=True` }
  expect(() => createMssqlMetastore(unseen)).toThrow(/strict encryption always verifies/)
})

test('a host that is not local has TLS, verified, unless it is told otherwise (D-066)', async () => {
  const { checkOptions } = await import('../src/options.ts')
  const text = 'Database=Keys;User ID=me;Password=pw;Server='
  const modeOf = (server: string, tls?: boolean) => {
    const { connections } = checkOptions({ connectionString: text + server, ...(tls === undefined ? {} : { tls }) })
    if ('given' in connections) throw new Error('unexpected')
    return [connections.encrypt, connections.tls?.rejectUnauthorized]
  }
  expect(modeOf('db.example')).toEqual([true, true])
  expect(modeOf('db.example;Encrypt=True')).toEqual([true, true])
  expect(modeOf('db.example;TrustServerCertificate=True')).toEqual([true, false])
  expect(modeOf('db.example;Encrypt=False')).toEqual([false, undefined])
  expect(modeOf('db.example;Encrypt=False', true)).toEqual([true, true])
  expect(modeOf('db.example;Encrypt=True', false)).toEqual([false, undefined])
  expect(modeOf('localhost')).toEqual([false, undefined])
  expect(modeOf('localhost;Encrypt=True')).toEqual([true, true])
})

test('Entra ID: a credential gets its token for the resource that the server names', async () => {
  const asked: unknown[] = []
  const credential = {
    async getToken(scopes: unknown) {
      asked.push(scopes)
      return { token: TOKEN_LOGIN.token, expiresOnTimestamp: Date.now() + 60_000 }
    },
  }
  const { user: _, password: __, ...config } = at(server.port)
  const row = freshRow()
  const metastore = connect(server, { config, credential })
  expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
  expect(asked).toEqual(['https://database.windows.net/.default'])
  const connectionString = `Server=127.0.0.1,${server.port};Database=Keys`
  const byText = createMssqlMetastore({ connectionString, credential, tls: { ca: server.ca } })
  expect(await byText.load(row.keyId, row.created)).toEqual(row)
  await byText.close()
})

test('Entra ID: an access token is asked for at each new connection', async () => {
  const tokens = ['stale', TOKEN_LOGIN.token]
  const { user: _, password: __, ...config } = at(server.port)
  const metastore = connect(server, { config: { ...config, accessToken: () => tokens.shift() ?? '' } })
  await expect(metastore.loadLatest('_SK_a_b')).rejects.toMatchObject({ cause: { number: 18456 } })
  expect(await metastore.loadLatest('_SK_a_b')).toBeNull()
})

test('ApplicationIntent=ReadOnly is sent, a routed client follows, and a row that lags is waited for (D-053)', async () => {
  const replica = await startStandIn()
  const primary = await startStandIn({ readOnlyRoute: { server: '127.0.0.1', port: replica.port } })
  const config = { ...at(primary.port), readOnlyIntent: true }
  const metastore = connect(primary, { config, tls: { allowUnverifiedCertificate: true } })
  const row = freshRow()
  const load = metastore.load(row.keyId, row.created)
  setTimeout(() => void connect(replica).store(row.keyId, row.created, row), 100)
  expect(await load).toEqual(row)
  expect(primary.logins.map(({ readOnlyIntent }) => readOnlyIntent)).toEqual([true])
  expect(replica.logins[0]).toMatchObject({ readOnlyIntent: true, database: 'Keys', appName: 'asherah' })
})
