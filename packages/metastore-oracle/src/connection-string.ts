import { InvalidConfigError } from '@asherah/core/backend'
import { isLocalHost, isPlainText } from '@asherah/sql-shared'

/** What a connection string says, as `oracledb` takes it. */
export interface OracleTarget {
  readonly user: string
  readonly password: string
  /** Easy Connect Plus, or a whole TNS descriptor. */
  readonly connectString: string
}

const PARAMETERS: readonly string[] = ['ssl', 'wallet_location', 'ssl_server_cert_dn', 'connect_timeout', 'expire_time']
const TLS_PORT = '2484'
const PLAIN_PORT = '1521'

/**
 * `oracle://user:password@host:port/service?ssl=true`. TLS is on unless the host is local or `ssl=false`.
 *
 * @throws InvalidConfigError that has no password in it.
 */
export function parseConnectionString(text: unknown): OracleTarget {
  if (!isPlainText(text)) throw new InvalidConfigError('connectionString must be non-empty text')
  const url = URL.parse(text.trim())
  if (url === null || url.protocol !== 'oracle:') {
    throw new InvalidConfigError(
      'connectionString must be oracle://user:password@host:port/service, with percent encoding for signs like @ / ? #; for other forms, use config.connectString',
    )
  }
  const [host, service] = [url.hostname, decode(url.pathname.slice(1))]
  if (host === '') throw new InvalidConfigError('connectionString: the host is missing')
  if (service === '') throw new InvalidConfigError('connectionString: the service name is missing: oracle://…/service')
  if (!/^[\w.$#-]+$/.test(service))
    throw new InvalidConfigError('connectionString: the service name has signs that no service name has')
  const [user, password] = [decode(url.username), decode(url.password)]
  if (user === '' || password === '') throw new InvalidConfigError('connectionString: user or password is missing')

  const isTls = tlsOf(url.searchParams.get('ssl'), host)
  const rest: string[] = []
  for (const [name, value] of url.searchParams) {
    if (!PARAMETERS.includes(name)) {
      throw new InvalidConfigError(
        `connectionString: the parameter ${JSON.stringify(name)} is not supported; known are ${PARAMETERS.join(', ')}`,
      )
    }
    if (/[&?"]/.test(value))
      throw new InvalidConfigError(`connectionString: the value of ${name} has a sign that ends it`)
    if (name !== 'ssl') rest.push(`${name}=${value}`)
  }
  const port = url.port === '' ? (isTls ? TLS_PORT : PLAIN_PORT) : url.port
  const query = rest.length === 0 ? '' : `?${rest.join('&')}`
  return { user, password, connectString: `${isTls ? 'tcps' : 'tcp'}://${host}:${port}/${service}${query}` }
}

function tlsOf(ssl: string | null, host: string): boolean {
  if (ssl === null) return !isLocalHost(host.replace(/^\[|\]$/g, ''))
  if (ssl === 'true' || ssl === 'false') return ssl === 'true'
  throw new InvalidConfigError('connectionString: ssl must be true or false')
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new InvalidConfigError('connectionString: a % begins no percent sequence; write %25 for %')
  }
}

/** Whether a connect string names TLS as its protocol, or this machine. */
export function isProtected(connectString: string): boolean {
  if (/^\s*tcps:\/\//i.test(connectString) || /\(\s*PROTOCOL\s*=\s*TCPS\s*\)/i.test(connectString)) return true
  const [, host] =
    /^(?:tcp:)?(?:\/\/)?(\[[^\]]*\]|[^:/?]+)(?::\d+)?(?:[/?]|$)/i.exec(connectString.trim()) ??
    /\(\s*HOST\s*=\s*([^)\s]+)\s*\)/i.exec(connectString) ??
    []
  return host !== undefined && isLocalHost(host.replace(/^\[|\]$/g, ''))
}
