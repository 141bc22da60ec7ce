import { expect, test } from 'vitest'
import { metastorePlace } from '../../src/keys/metastore-url.ts'

/** Records what would be made, and makes a metastore of nothing. */
function loader(): { readonly calls: unknown[]; load(name: string): Promise<unknown> } {
  const calls: unknown[] = []
  const method = async (): Promise<null> => null
  const factories = ['Postgres', 'Mysql', 'Mssql', 'Oracle', 'DynamoDb'].map((kind) => `create${kind}Metastore`)
  return {
    calls,
    load: async (name) =>
      Object.fromEntries(
        factories.map((factory) => [
          factory,
          (options: unknown) => {
            calls.push([name, factory, options])
            return { load: method, loadLatest: method, store: method, close: method }
          },
        ]),
      ),
  }
}

const connection = (name: string, factory: string, connectionString: string): unknown => [
  `@asherah/metastore-${name}`,
  factory,
  { connectionString },
]

test.each([
  [
    'postgres://u:pw@h:5432/d?x=1',
    'postgres://h:5432/d',
    connection('postgres', 'createPostgresMetastore', 'postgres://u:pw@h:5432/d?x=1'),
  ],
  ['postgresql://h/d', 'postgresql://h/d', connection('postgres', 'createPostgresMetastore', 'postgresql://h/d')],
  ['mysql://u:pw@h/d', 'mysql://h/d', connection('mysql', 'createMysqlMetastore', 'mysql://u:pw@h/d')],
  ['MariaDB://u:pw@h/d', 'mariadb://h/d', connection('mysql', 'createMysqlMetastore', 'mysql://u:pw@h/d')],
  [
    'mssql://h;user=u;password=x@y',
    'mssql://h',
    connection('mssql', 'createMssqlMetastore', 'mssql://h;user=u;password=x@y'),
  ],
  ['sqlserver://u:a@b/c@h/d', 'sqlserver', connection('mssql', 'createMssqlMetastore', 'sqlserver://u:a@b/c@h/d')],
  [
    'Server=tcp:h,1433;Database=d;Password=pw',
    'sqlserver',
    connection('mssql', 'createMssqlMetastore', 'Server=tcp:h,1433;Database=d;Password=pw'),
  ],
  ['oracle://u:pw@h/svc', 'oracle://h/svc', connection('oracle', 'createOracleMetastore', 'oracle://u:pw@h/svc')],
  [
    'dynamodb://Keys',
    'dynamodb://Keys',
    ['@asherah/metastore-dynamodb', 'createDynamoDbMetastore', { tableName: 'Keys' }],
  ],
  [
    'dynamodb://Keys?region=us-west-2&endpoint=http%3A%2F%2F127.0.0.1%3A8000&regionSuffix=true',
    'dynamodb://Keys',
    [
      '@asherah/metastore-dynamodb',
      'createDynamoDbMetastore',
      { tableName: 'Keys', region: 'us-west-2', endpoint: 'http://127.0.0.1:8000', regionSuffix: true },
    ],
  ],
])('%s', async (text, label, call) => {
  const { calls, load } = loader()
  const place = metastorePlace(text, load)
  expect(place).toMatchObject({ label, file: undefined })
  expect(calls).toEqual([])
  await place.open()
  expect(calls).toEqual([call])
})

test.each([
  ['', /--metastore must be sqlite:\/\/PATH/],
  ['keys.db', /--metastore must be/],
  ['sqlite://', /--metastore must be/],
  ['redis://u:S3CRET@h', /--metastore must be/],
  ['dynamodb://', /the name of a table/],
  ['dynamodb://k', /3 to 255/],
  ['dynamodb://Keys?regoin=x', /did you mean region\?/],
])('D-111: what is refused is not repeated: %j', (text, message) => {
  expect(() => metastorePlace(text)).toThrow(message)
  expect(() => metastorePlace(text)).not.toThrow(/S3CRET/)
})

test('a package that is not installed: an InvalidConfigError with the install line', async () => {
  const missing = Object.assign(new Error("Cannot find package '@asherah/metastore-postgres'"), {
    code: 'ERR_MODULE_NOT_FOUND',
  })
  const place = metastorePlace('postgres://u:S3CRET@h/d', () => Promise.reject(missing))
  await expect(place.open()).rejects.toMatchObject({
    code: 'ERR_ASHERAH_INVALID_CONFIG',
    message: expect.stringMatching(/npm install @asherah\/metastore-postgres (?!.*S3CRET)/),
  })
})

test('a package that is broken, or of another version, is not said to be missing', async () => {
  const missing = Object.assign(new Error("Cannot find package 'pg'"), { code: 'ERR_MODULE_NOT_FOUND' })
  await expect(metastorePlace('postgres://h/d', () => Promise.reject(missing)).open()).rejects.toThrow(
    'cannot be loaded',
  )
  await expect(metastorePlace('postgres://h/d', async () => ({})).open()).rejects.toThrow('does not fit')
})
