import { InvalidConfigError } from '@asherah/core/backend'
import {
  checkKnownParameters,
  type ParsedConnectionString,
  parseUrl,
  type TlsOptions,
  tlsFiles,
} from '@asherah/sql-shared'

const CONNECTION_NAMES = ['host', 'port', 'user', 'password', 'dbname'] as const
const TLS_NAMES = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey'] as const
const KNOWN: readonly string[] = [...CONNECTION_NAMES, ...TLS_NAMES]

/**
 * Reads a URL or libpq's `name=value` form.
 *
 * @throws InvalidConfigError whose message holds nothing of the string but the names of its parameters.
 */
export function parseConnectionString(text: string): ParsedConnectionString {
  const values = /^\w+:\/\//.test(text) ? valuesOfUrl(text) : valuesOfKeywords(text)
  checkKnownParameters(values.keys(), KNOWN)
  const [host, port, user, password, database] = CONNECTION_NAMES.map((name) => values.get(name))
  return {
    connection: {
      ...(host === undefined ? {} : { host }),
      ...(port === undefined ? {} : { port: Number(port) }),
      ...(database === undefined ? {} : { database }),
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
    },
    tls: tlsOf(values),
  }
}

function valuesOfUrl(text: string): Map<string, string> {
  const { host, port, user, password, database, parameters } = parseUrl(text, ['postgres', 'postgresql'])
  const values = new Map(parameters)
  const parts = { host, port: port?.toString(), user, password, dbname: database }
  for (const [name, value] of Object.entries(parts)) {
    if (value === undefined) continue
    if (values.has(name)) throw new InvalidConfigError(`connectionString has ${name} twice`)
    values.set(name, value)
  }
  return values
}

/** `name = value` or `name='it''s \' quoted'`, as `lib/pq` of Go takes it too. */
function valuesOfKeywords(text: string): Map<string, string> {
  const values = new Map<string, string>()
  const pair = /\s*([a-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s'\\]|\\.)*))(?:\s+|$)/gy
  while (pair.lastIndex < text.length) {
    const match = pair.exec(text)
    if (match === null) {
      throw new InvalidConfigError(
        'connectionString is neither postgres://user:password@host:port/database nor name=value …',
      )
    }
    const [, name = '', quoted, plain = ''] = match
    if (values.has(name)) throw new InvalidConfigError(`connectionString has ${name} twice`)
    values.set(name, (quoted ?? plain).replaceAll(/\\(.)/g, '$1'))
  }
  return values
}

/** Weaker modes than `verify-full` give it too: encryption without a verified server keeps nobody out (D-066). */
function tlsOf(values: ReadonlyMap<string, string>): boolean | TlsOptions | undefined {
  const files = tlsFiles(new Map([...values].filter(([name, value]) => name !== 'sslrootcert' || value !== 'system')), {
    ca: 'sslrootcert',
    cert: 'sslcert',
    key: 'sslkey',
  })
  switch (values.get('sslmode')) {
    case undefined:
    case 'allow':
    case 'prefer':
      return Object.keys(files).length === 0 ? undefined : files
    case 'disable':
      return false
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return files
    default:
      throw new InvalidConfigError(
        'sslmode must be disable, allow, prefer, require, verify-ca or verify-full; for tests there is tls.allowUnverifiedCertificate',
      )
  }
}
