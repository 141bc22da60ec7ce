import { InvalidConfigError, nearestName } from '@asherah/core/backend'
import { isPlainText } from '@asherah/sql-shared'
import { type Keywords, parseKeywords } from './ado.ts'
import { type DataSource, parseDataSource, whereIs } from './data-source.ts'
import { parseLogin } from './login.ts'
import type { MssqlTarget } from './target.ts'
import { isUrl, parseUrl } from './url.ts'

/** Every keyword that says something here, without spaces and case: its meaning. */
const MEANINGS: Readonly<Record<string, string>> = {
  server: 'server',
  datasource: 'server',
  address: 'server',
  addr: 'server',
  networkaddress: 'server',
  servername: 'server',
  port: 'port',
  portnumber: 'port',
  instancename: 'instance',
  database: 'database',
  initialcatalog: 'database',
  databasename: 'database',
  userid: 'user',
  uid: 'user',
  user: 'user',
  username: 'user',
  password: 'password',
  pwd: 'password',
  encrypt: 'encrypt',
  trustservercertificate: 'trust',
  hostnameincertificate: 'certificateName',
  authentication: 'authentication',
  fedauth: 'authentication',
  msiclientid: 'user',
  applicationintent: 'intent',
  multisubnetfailover: 'multiSubnet',
  applicationname: 'appName',
  app: 'appName',
  appname: 'appName',
  workstationid: 'workstation',
  wsid: 'workstation',
  packetsize: 'packetSize',
  connecttimeout: 'connectTimeout',
  connectiontimeout: 'connectTimeout',
  timeout: 'connectTimeout',
  logintimeout: 'connectTimeout',
  commandtimeout: 'queryTimeout',
  maxpoolsize: 'maxPool',
  minpoolsize: 'minPool',
  connectionlifetime: 'lifetime',
  loadbalancetimeout: 'lifetime',
  integratedsecurity: 'integrated',
  trustedconnection: 'integrated',
}

/** What other clients do with their own objects, and what our pool and retries replace: read and not used. */
const WITHOUT_EFFECT: readonly string[] = [
  'persistsecurityinfo',
  'multipleactiveresultsets',
  'connectretrycount',
  'connectretryinterval',
  'pooling',
  'enlist',
  'poolblockingperiod',
  'transparentnetworkipresolution',
  'asynchronousprocessing',
  'typesystemversion',
  'sendstringparametersasunicode',
]

/**
 * The target of any form of connection string.
 *
 * @param hasCredential The caller brings an Entra ID credential: the string needs no login.
 * @throws InvalidConfigError naming the keyword and never a value.
 */
export function parseConnectionString(text: unknown, hasCredential: boolean): MssqlTarget {
  if (!isPlainText(text)) throw new InvalidConfigError('connectionString must be non-empty text')
  const trimmed = text.trim()
  if (isUrl(trimmed)) return fromUrl(trimmed, hasCredential)
  const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(trimmed)?.[1]
  if (scheme !== undefined) {
    throw new InvalidConfigError(
      `connectionString: ${scheme}:// is no scheme of SQL Server; use sqlserver:// or mssql://`,
    )
  }
  const values = meaningsOf(parseKeywords(trimmed))
  const source = values.get('server')
  if (source === undefined || source === '')
    throw new InvalidConfigError('connectionString: the host (Server) is missing')
  return complete(parseDataSource(source), values, hasCredential)
}

function fromUrl(text: string, hasCredential: boolean): MssqlTarget {
  const { source, user, password, database, keywords } = parseUrl(text)
  const values = new Map(meaningsOf(keywords))
  if (values.has('server'))
    throw new InvalidConfigError('connectionString: the host stands before the keywords, and in Server too')
  for (const [meaning, value] of Object.entries({ user, password, database })) {
    if (value === undefined) continue
    if (values.has(meaning)) throw new InvalidConfigError(`connectionString: ${meaning} is given twice`)
    values.set(meaning, value)
  }
  return complete(source, values, hasCredential)
}

type Values = ReadonlyMap<string, string>

/** What .NET and JDBC know and this library does not have: safe to name in a message. */
const UNSUPPORTED: readonly string[] = [
  'attachdbfilename',
  'columnencryptionsetting',
  'contextconnection',
  'currentlanguage',
  'enclaveattestationurl',
  'failoverpartner',
  'initialfilename',
  'language',
  'networklibrary',
  'servercertificate',
  'serverspn',
  'userinstance',
]

function meaningsOf(keywords: Keywords): Values {
  const values = new Map<string, string>()
  let position = 0
  for (const [keyword, value] of keywords) {
    position += 1
    const plain = keyword.toLowerCase().replaceAll(/[\s_]/g, '')
    if (WITHOUT_EFFECT.includes(plain)) continue
    const meaning = Object.hasOwn(MEANINGS, plain) ? MEANINGS[plain] : undefined
    if (meaning === undefined) throw unknownKeyword(keyword, plain, position)
    values.set(meaning, value)
  }
  return values
}

/** Without the word itself, which may be the rest of a password that was not quoted. */
function unknownKeyword(keyword: string, plain: string, position: number): InvalidConfigError {
  if (UNSUPPORTED.includes(plain)) return new InvalidConfigError(`connectionString: ${keyword} is not supported`)
  const nearest = nearestName(plain, Object.keys(MEANINGS))
  const hint = nearest === undefined ? 'a value with a semicolon must be quoted' : `did you mean ${nearest}?`
  return new InvalidConfigError(`connectionString: keyword ${position} is not supported: ${hint}`)
}

function complete(source: DataSource, values: Values, hasCredential: boolean): MssqlTarget {
  const database = values.get('database')
  if (database === undefined || database === '') {
    throw new InvalidConfigError('connectionString: the database (Database, Initial Catalog) is missing')
  }
  const portText = values.get('port')
  const port = portText === undefined ? source.port : whole('port', portText, 1, 65_535)
  return {
    server: source.server,
    ...whereIs(port, values.get('instance') ?? source.instanceName),
    database,
    login: parseLogin(values, hasCredential),
    encrypt: read(values.get('encrypt'), parseEncrypt),
    trustServerCertificate: read(values.get('trust'), (v) => truth('TrustServerCertificate', v)),
    hostNameInCertificate: read(values.get('certificateName'), (v) => v),
    readOnlyIntent: read(values.get('intent'), parseIntent),
    multiSubnetFailover: read(values.get('multiSubnet'), (v) => truth('MultiSubnetFailover', v)),
    appName: read(values.get('appName'), (v) => v),
    workstationId: read(values.get('workstation'), (v) => v),
    packetSize: read(values.get('packetSize'), (v) => whole('Packet Size', v, 512, 32_767)),
    connectTimeoutMs: read(values.get('connectTimeout'), (v) => seconds('Connect Timeout', v)),
    queryTimeoutMs: read(values.get('queryTimeout'), (v) => seconds('Command Timeout', v)),
    maxConnections: read(values.get('maxPool'), (v) => whole('Max Pool Size', v, 1, 1_000)),
    minIdleConnections: read(values.get('minPool'), (v) => whole('Min Pool Size', v, 0, 1_000)),
    // 0 is "for ever" there.
    maxLifetimeMs: read(values.get('lifetime')?.replace(/^0$/, ''), (v) => seconds('Connection Lifetime', v)),
  }
}

/** A keyword without a value says nothing. */
function read<V>(value: string | undefined, parse: (value: string) => V): V | undefined {
  return value === undefined || value === '' ? undefined : parse(value)
}

function parseEncrypt(value: string): boolean | 'strict' {
  const word = value.toLowerCase()
  if (word === 'strict') return 'strict'
  if (word === 'mandatory') return true
  if (word === 'optional' || word === 'disable') return false
  return truth('Encrypt', value, 'true, false, mandatory, optional or strict')
}

function parseIntent(value: string): boolean {
  const word = value.toLowerCase()
  if (word === 'readonly') return true
  if (word === 'readwrite') return false
  throw new InvalidConfigError('connectionString: ApplicationIntent must be ReadOnly or ReadWrite')
}

/** @throws InvalidConfigError */
function truth(keyword: string, value: string, allowed = 'true or false'): boolean {
  const word = value.toLowerCase()
  if (['true', 'yes', '1'].includes(word)) return true
  if (['false', 'no', '0'].includes(word)) return false
  throw new InvalidConfigError(`connectionString: ${keyword} must be ${allowed}`)
}

function whole(keyword: string, value: string, least: number, most: number): number {
  const number = /^\d{1,9}$/.test(value) ? Number(value) : -1
  if (number < least || number > most) {
    throw new InvalidConfigError(`connectionString: ${keyword} must be a whole number from ${least} to ${most}`)
  }
  return number
}

function seconds(keyword: string, value: string): number {
  return whole(keyword, value, 1, 2_000_000) * 1_000
}
