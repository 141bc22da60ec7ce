import { expect, test } from 'vitest'
import { parseConnectionString } from '../src/connection-string/parse.ts'

const SQL = { kind: 'password', user: 'me', password: 'pw' }
const AT = { server: 'db.example', database: 'Keys', login: SQL }
const login = (password: string, user = 'me') => ({ ...AT, login: { kind: 'password', user, password } })

/** Text, and what it says. */
const GOOD: readonly (readonly [string, object])[] = [
  // The form of our own and of JDBC
  ['sqlserver://me:pw@db.example:1433;database=Keys;encrypt=true', { ...AT, port: 1433, encrypt: true }],
  ['sqlserver://me:pw@db.example;database=Keys', AT],
  ['SQLSERVER://me:pw@db.example;DATABASE=Keys', AT],
  ['sqlserver://db.example:1433;databaseName=Keys;user=me;password=pw', { ...AT, port: 1433 }],
  ['jdbc:sqlserver://db.example:1433;databaseName=Keys;user=me;password={p;w}}d}', { ...login('p;w}d'), port: 1433 }],
  [
    'jdbc:sqlserver://db.example\\SQLEXPRESS;databaseName=Keys;user=me;password=pw',
    { ...AT, instanceName: 'SQLEXPRESS' },
  ],
  [
    'jdbc:sqlserver://db.example;instanceName=INST;databaseName=Keys;user=me;password=pw',
    { ...AT, instanceName: 'INST' },
  ],
  [
    'sqlserver://db.example:1433;database=Keys;user=me@tenant;password=p@w',
    { ...login('p@w', 'me@tenant'), port: 1433 },
  ],
  ['jdbc:sqlserver://db.example\\INST;portNumber=1500;databaseName=Keys;user=me;password=pw', { ...AT, port: 1500 }],
  ['sqlserver://db.example;portNumber=1500;database=Keys;user=me;password=pw', { ...AT, port: 1500 }],
  ['sqlserver://me:pw@db.example;database=Keys;encrypt=strict', { ...AT, encrypt: 'strict' }],
  ['sqlserver://me:pw@db.example;database=Keys;applicationIntent=ReadOnly', { ...AT, readOnlyIntent: true }],
  ['sqlserver://me:pw@db.example;database=Keys;loginTimeout=7', { ...AT, connectTimeoutMs: 7_000 }],
  // Go's
  ['sqlserver://me:pw@db.example:1433?database=Keys', { ...AT, port: 1433 }],
  ['sqlserver://me:pw@db.example/INST?database=Keys&encrypt=disable', { ...AT, instanceName: 'INST', encrypt: false }],
  ['sqlserver://me:pw@db.example/Keys', AT],
  [
    'sqlserver://me:pw@db.example?database=Keys&app+name=svc&TrustServerCertificate=true',
    { ...AT, appName: 'svc', trustServerCertificate: true },
  ],
  ['sqlserver://db.example?database=Keys&fedauth=ActiveDirectoryDefault', { ...AT, login: { kind: 'default' } }],
  // Node's
  ['mssql://me:pw@db.example/Keys', AT],
  [
    'mssql://me:pw@db.example:1434/Keys?encrypt=true&trustServerCertificate=false',
    { ...AT, port: 1434, encrypt: true, trustServerCertificate: false },
  ],
  ['mssql://me:pw@db.example/My%20Keys', { ...AT, database: 'My Keys' }],
  ['mssql://me:pw@db.example/Keys/', AT],
  ['mssql://me:pw@localhost/Keys', { ...AT, server: 'localhost' }],
  ['mssql://me:pw@127.0.0.1:49152/Keys', { ...AT, server: '127.0.0.1', port: 49_152 }],
  ['mssql://me:pw@[::1]:1433/Keys', { ...AT, server: '::1', port: 1433 }],
  ['mssql://me:pw@[2001:db8::5]/Keys', { ...AT, server: '2001:db8::5' }],
  // Passwords in URLs
  ['mssql://me:p%40%3A%2F%3F%23%25%3B%27%22w@db.example/Keys', login('p@:/?#%;\'"w')],
  ['mssql://me:p@w@db.example/Keys', login('p@w')],
  ['mssql://me:p:w@db.example/Keys', login('p:w')],
  ['mssql://me:p/w@db.example/Keys', login('p/w')],
  ['mssql://me:p?w@db.example/Keys', login('p?w')],
  ['mssql://me:p#w@db.example/Keys', login('p#w')],
  ['sqlserver://me:p;w@db.example;database=Keys', login('p;w')],
  ['mssql://me:100%@db.example/Keys', login('100%')],
  ['mssql://me:p\'"w@db.example/Keys', login('p\'"w')],
  ['mssql://me:1/2@db.example/Keys', login('1/2')],
  ['mssql://me:p@:/?#;w@db.example/Keys', login('p@:/?#;w')],
  ['mssql://me:p=w&x@db.example/Keys', login('p=w&x')],
  ['mssql://m%40e:pw@db.example/Keys', login('pw', 'm@e')],
  // ADO.NET
  ['Server=db.example;Database=Keys;User ID=me;Password=pw', AT],
  [
    'Server=tcp:db.example,1433;Database=Keys;User ID=me;Password=pw;Encrypt=True;TrustServerCertificate=False;',
    { ...AT, port: 1433, encrypt: true, trustServerCertificate: false },
  ],
  ['Data Source=db.example,1500;Initial Catalog=Keys;UID=me;PWD=pw', { ...AT, port: 1500 }],
  ['server = db.example ; database = Keys ; user id = me ; password = pw ', AT],
  ['Addr=db.example;Database=Keys;User=me;Password=pw', AT],
  ['Network Address=db.example;Database=Keys;User=me;Password=pw', AT],
  ['Server=db.example\\SQLEXPRESS;Database=Keys;User ID=me;Password=pw', { ...AT, instanceName: 'SQLEXPRESS' }],
  ['Server=db.example\\INST,1500;Database=Keys;User ID=me;Password=pw', { ...AT, port: 1500 }],
  ['Server=db.example\\MSSQLSERVER;Database=Keys;User ID=me;Password=pw', AT],
  ['Server=.;Database=Keys;User ID=me;Password=pw', { ...AT, server: 'localhost' }],
  ['Server=(local);Database=Keys;User ID=me;Password=pw', { ...AT, server: 'localhost' }],
  [
    'Server=.\\SQLEXPRESS;Database=Keys;User ID=me;Password=pw',
    { ...AT, server: 'localhost', instanceName: 'SQLEXPRESS' },
  ],
  ['Server=tcp:[::1],1433;Database=Keys;User ID=me;Password=pw', { ...AT, server: '::1', port: 1433 }],
  ['Server=2001:db8::5,1433;Database=Keys;User ID=me;Password=pw', { ...AT, server: '2001:db8::5', port: 1433 }],
  ['Server=db.example;Database=Keys;User ID=me;Password="p;w""d"', login('p;w"d')],
  ["Server=db.example;Database=Keys;User ID=me;Password='p;w''d'", login("p;w'd")],
  ['Server=db.example;Database=Keys;User ID=me;Password=p@:/?#%w', login('p@:/?#%w')],
  ['Server=db.example;Database=Keys;User ID=me;Password=p=w', login('p=w')],
  ['Server=db.example;Database=Keys;User ID=me;Password=p\'w"d', login('p\'w"d')],
  ['Server=db.example;Database=Keys;User ID=me;Password=old;Password=pw', AT],
  [
    'Server=tcp:x.database.windows.net,1433;Initial Catalog=Keys;Persist Security Info=False;User ID=me@x;Password=pw;MultipleActiveResultSets=False;Encrypt=True;TrustServerCertificate=False;Connection Timeout=30;',
    {
      server: 'x.database.windows.net',
      port: 1433,
      database: 'Keys',
      login: { kind: 'password', user: 'me@x', password: 'pw' },
      encrypt: true,
      trustServerCertificate: false,
      connectTimeoutMs: 30_000,
    },
  ],
  [
    'Server=tcp:x.database.windows.net;Database=Keys;Authentication=Active Directory Default;',
    { server: 'x.database.windows.net', database: 'Keys', login: { kind: 'default' } },
  ],
  [
    'Server=x.database.windows.net;Database=Keys;Authentication="Active Directory Managed Identity";User Id=0000-11',
    { server: 'x.database.windows.net', database: 'Keys', login: { kind: 'managed-identity', clientId: '0000-11' } },
  ],
  [
    'Server=x.database.windows.net;Database=Keys;Authentication=Active Directory MSI',
    { server: 'x.database.windows.net', database: 'Keys', login: { kind: 'managed-identity' } },
  ],
  ['Server=db.example;Database=Keys;Authentication=Sql Password;User ID=me;Password=pw', AT],
  ['Server=db.example;Database=Keys;User ID=me;Password=pw;Encrypt=Mandatory', { ...AT, encrypt: true }],
  ['Server=db.example;Database=Keys;User ID=me;Password=pw;Encrypt=Optional', { ...AT, encrypt: false }],
  [
    'Server=db.example;Database=Keys;User ID=me;Password=pw;Encrypt=Strict;HostNameInCertificate=sql.example',
    { ...AT, encrypt: 'strict', hostNameInCertificate: 'sql.example' },
  ],
  [
    'Server=db.example;Database=Keys;User ID=me;Password=pw;Trust Server Certificate=yes',
    { ...AT, trustServerCertificate: true },
  ],
  [
    'Server=ag.example;Database=Keys;User ID=me;Password=pw;MultiSubnetFailover=True;ApplicationIntent=ReadWrite',
    { ...AT, server: 'ag.example', multiSubnetFailover: true, readOnlyIntent: false },
  ],
  [
    'Server=db.example;Database=Keys;User ID=me;Password=pw;Max Pool Size=20;Min Pool Size=2;Connection Lifetime=600',
    { ...AT, maxConnections: 20, minIdleConnections: 2, maxLifetimeMs: 600_000 },
  ],
  ['Server=db.example;Database=Keys;User ID=me;Password=pw;Load Balance Timeout=0', AT],
  [
    'Server=db.example;Database=Keys;User ID=me;Password=pw;Application Name=svc;Workstation ID=box;Packet Size=8192;Command Timeout=9',
    { ...AT, appName: 'svc', workstationId: 'box', packetSize: 8192, queryTimeoutMs: 9_000 },
  ],
  [
    'Server=db.example;Database=Keys;User ID=me;Password=pw;Integrated Security=False;Pooling=True;ConnectRetryCount=3',
    AT,
  ],
  ['Server=db.example;Database=Keys;User_ID=me;Password=pw', AT],
]

test.each(GOOD)('%s', (text, expected) => {
  expect(parseConnectionString(text, false)).toEqual(expected)
})

/** Text, and what the message must say. */
const BAD: readonly (readonly [string, RegExp])[] = [
  ['', /non-empty text/],
  ['Database=Keys;User ID=me;Password=hunter2', /host \(Server\) is missing/],
  ['Server=;Database=Keys;User ID=me;Password=hunter2', /host \(Server\) is missing/],
  ['sqlserver://me:hunter2@;database=Keys', /host \(Server\) is missing/],
  ['mssql://me:hunter2@:1433/Keys', /host \(Server\) is missing/],
  ['Server=db.example;User ID=me;Password=hunter2', /database \(Database, Initial Catalog\) is missing/],
  ['mssql://me:hunter2@db.example', /database .* is missing/],
  ['mssql://me:hunter2@db.example/', /database .* is missing/],
  ['Server=db.example;Database=Keys;Password=hunter2', /user \(User ID\) is missing/],
  ['Server=db.example;Database=Keys;User ID=me', /password is missing/],
  ['mssql://me@db.example/Keys', /password is missing/],
  ['Server=db.example;Database=Keys;Integrated Security=SSPI', /Windows login\) is not supported/],
  ['Server=db.example;Database=Keys;Trusted_Connection=yes', /Windows login\) is not supported/],
  [
    'Server=db.example;Database=Keys;User ID=me;Password=hunter2;Failover Partner=other',
    /Failover Partner is not supported/,
  ],
  ['Server=db.example;Database=Keys;User ID=me;Pasword=hunter2', /keyword 4 is not supported: did you mean password/],
  [
    'Server=db.example;Database=Keys;User ID=me;Password=hunter2;AttachDbFilename=x',
    /AttachDbFilename is not supported/,
  ],
  ['Server=db.example;Database=Keys;User ID=me;Password=hunter2;Encrypt=maybe', /Encrypt must be true, false/],
  [
    'Server=db.example;Database=Keys;User ID=me;Password=hunter2;TrustServerCertificate=2',
    /TrustServerCertificate must be/,
  ],
  ['Server=db.example;Database=Keys;User ID=me;Password=hunter2;ApplicationIntent=Read', /ApplicationIntent must be/],
  ['Server=db.example;Database=Keys;User ID=me;Password=hunter2;Max Pool Size=0', /Max Pool Size must be/],
  ['Server=db.example,14x;Database=Keys;User ID=me;Password=hunter2', /port must be a number/],
  ['Server=db.example,70000;Database=Keys;User ID=me;Password=hunter2', /port must be a number/],
  ['mssql://me:hunter2@db.example:0/Keys', /port must be a number/],
  ['Server=db.example:1433;Database=Keys;User ID=me;Password=hunter2', /port comes after a comma/],
  ['Server=np:\\\\box\\pipe;Database=Keys;User ID=me;Password=hunter2', /not by np:/],
  ['Server=(localdb)\\v11;Database=Keys;User ID=me;Password=hunter2', /localdb/],
  ['Server=a\\b\\c;Database=Keys;User ID=me;Password=hunter2', /more than one instance/],
  ['Server=[nonsense];Database=Keys;User ID=me;Password=hunter2', /no IPv6 address/],
  ['Server=db.example;Database=Keys;User ID=me;Password="hunter2', /a quoted value does not end/],
  ['Server=db.example;Database=Keys;User ID=me;Password="hunter2"x', /text after a quoted value/],
  ['Server=db.example;Database=Keys;User ID=me;Password=hunt;er2', /not keyword=value/],
  [
    'Server=db.example;Database=Keys;User ID=me;Password=p;hunter2=x',
    /keyword 5 is not supported: a value with a semicolon/,
  ],
  ['Server=db.example;Database=Keys;User ID=me;Password=p;hunter2="x"y', /text after a quoted value/],
  ['db.example', /not keyword=value/],
  ['mysql://me:hunter2@db.example/Keys', /mysql:\/\/ is no scheme of SQL Server/],
  [
    'Server=db.example;Database=Keys;Authentication=Active Directory Password;User ID=me;Password=hunter2',
    /Authentication must be/,
  ],
  ['Server=db.example;Database=Keys;Authentication=Active Directory Interactive', /Authentication must be/],
  ['sqlserver://me:hunter2@db.example;database=Keys;user=you', /user is given twice/],
  ['sqlserver://me:hunter2@db.example;server=other;database=Keys', /in Server too/],
  ['mssql://me:hunter2@db.example/Keys/more?x=1', /database .*|not supported/],
]

test.each(BAD)('%s is refused, and the message has no password', (text, message) => {
  const parse = () => parseConnectionString(text, false)
  expect(parse).toThrow(message)
  expect(parse).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_INVALID_CONFIG' }))
  expect(parse).not.toThrow(/hunt/)
})

test('with a credential of the caller the string has no login', () => {
  const text = 'Server=x.database.windows.net;Database=Keys'
  expect(parseConnectionString(text, true)).toEqual({
    server: 'x.database.windows.net',
    database: 'Keys',
    login: { kind: 'none' },
  })
  expect(() => parseConnectionString(`${text};User ID=me;Password=pw`, true)).toThrow(/must not have a login/)
})

test('the table has the 60 strings that were asked for', () => {
  expect(GOOD.length + BAD.length).toBeGreaterThanOrEqual(60)
  expect(new Set(GOOD.map(([text]) => text)).size).toBe(GOOD.length)
})
