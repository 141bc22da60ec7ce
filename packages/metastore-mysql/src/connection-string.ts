import { InvalidConfigError } from '@asherah/core/backend'
import {
  checkKnownParameters,
  type ParsedConnectionString,
  parseUrl,
  type ServerConnection,
  type TlsOptions,
  tlsFiles,
} from '@asherah/sql-shared'
import { parseGoDuration } from './go-duration.ts'

const TLS_NAMES = ['ssl-mode', 'ssl-ca', 'ssl-cert', 'ssl-key', 'tls'] as const

/** Parameters of the Go driver that say nothing to this one: the session's zone, charset and mode are always ours. */
const GO_ONLY = [
  'allowNativePasswords',
  'allowOldPasswords',
  'charset',
  'checkConnLiveness',
  'clientFoundRows',
  'collation',
  'columnsWithAlias',
  'interpolateParams',
  'loc',
  'maxAllowedPacket',
  'multiStatements',
  'parseTime',
  'rejectReadOnly',
  'time_zone',
] as const
const KNOWN: readonly string[] = [...TLS_NAMES, 'timeout', 'readTimeout', 'writeTimeout', ...GO_ONLY]

/** `user:password@net(address)/database?parameters`: nothing in it is escaped, but for the parameters. */
const GO_DSN = /^(?:([^:@/]*)(?::(.*))?@)?(?:(tcp|unix)(?:\(([^)]*)\))?)?\/([^/?]*)(?:\?(.*))?$/s

/**
 * Reads a URL, or a DSN of the Go driver.
 *
 * @throws InvalidConfigError whose message holds nothing of the string but the names of its parameters.
 */
export function parseConnectionString(text: string): ParsedConnectionString {
  const dsn = text.replace(/^mysql:\/\/(?=.*(?:tcp|unix)\()/s, '')
  const { connection, parameters } = /^\w+:\/\//.test(dsn) ? partsOfUrl(dsn) : partsOfDsn(dsn)
  checkKnownParameters(parameters.keys(), KNOWN)
  return { connection, tls: tlsOf(parameters), limits: limitsOf(parameters) }
}

interface Parts {
  readonly connection: Partial<ServerConnection>
  readonly parameters: ReadonlyMap<string, string>
}

function partsOfUrl(text: string): Parts {
  const { host, port, user, password, database, parameters } = parseUrl(text, ['mysql', 'mariadb'])
  return { connection: given({ host, port, user, password, database }), parameters }
}

function partsOfDsn(text: string): Parts {
  const match = GO_DSN.exec(text)
  if (match === null) {
    throw new InvalidConfigError(
      'connectionString is neither mysql://user:password@host:port/database nor user:password@tcp(host:port)/database',
    )
  }
  const [, user, password, net = 'tcp', address = '127.0.0.1', database, query = ''] = match
  const [, host, port] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(net === 'unix' ? '' : address) ?? []
  return {
    connection: given({
      host: net === 'unix' ? address : host,
      port: port === undefined ? undefined : Number(port),
      user,
      password,
      database,
    }),
    parameters: new Map(new URLSearchParams(query)),
  }
}

function given(parts: Readonly<Record<string, string | number | undefined>>): Partial<ServerConnection> {
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined && value !== ''))
}

/** The Go driver's time-outs. It has one for each read and write of the socket; here one is for the whole answer. */
function limitsOf(values: ReadonlyMap<string, string>): NonNullable<ParsedConnectionString['limits']> {
  const [connect, read, write] = ['timeout', 'readTimeout', 'writeTimeout'].map((name) => {
    const text = values.get(name)
    return text === undefined ? undefined : parseGoDuration(name, text)
  })
  const answer = Math.max(read ?? 0, write ?? 0)
  return {
    ...(connect === undefined ? {} : { connectTimeoutMs: connect }),
    ...(answer === 0 ? {} : { queryTimeoutMs: answer }),
  }
}

/** Weaker modes than VERIFY_IDENTITY give it too: encryption without a verified server keeps nobody out (D-066). */
function tlsOf(values: ReadonlyMap<string, string>): boolean | TlsOptions | undefined {
  const files = tlsFiles(values, { ca: 'ssl-ca', cert: 'ssl-cert', key: 'ssl-key' })
  const mode = values.get('ssl-mode')
  const goMode = values.get('tls')
  if (mode !== undefined && goMode !== undefined) throw new InvalidConfigError('give ssl-mode or tls, not both')
  switch ((mode ?? goMode ?? 'PREFERRED').toUpperCase()) {
    case 'PREFERRED':
      return Object.keys(files).length === 0 ? undefined : files
    case 'DISABLED':
    case 'FALSE':
      return false
    case 'REQUIRED':
    case 'VERIFY_CA':
    case 'VERIFY_IDENTITY':
    case 'TRUE':
      return files
    case 'SKIP-VERIFY':
      return { ...files, allowUnverifiedCertificate: true }
    default:
      throw new InvalidConfigError(
        'ssl-mode must be DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY, or tls true, false, preferred or skip-verify',
      )
  }
}
