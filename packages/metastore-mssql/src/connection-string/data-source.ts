import { isIPv6 } from 'node:net'
import { InvalidConfigError } from '@asherah/core/backend'

/** Where the server is. */
export interface DataSource {
  readonly server: string
  readonly port?: number
  readonly instanceName?: string
}

const LOCAL_NAMES: readonly string[] = ['.', '(local)']

/**
 * The value of `Server`: `tcp:host,1433`, `host\instance`, `host\instance,1433`, `[::1],1433`, `.`, `(local)`.
 *
 * @throws InvalidConfigError
 */
export function parseDataSource(text: string): DataSource {
  const [, protocol, rest = ''] = /^(?:(tcp|np|lpc|admin):)?([\s\S]*)$/i.exec(text.trim()) ?? []
  if (protocol !== undefined && protocol.toLowerCase() !== 'tcp') {
    throw new InvalidConfigError(`connectionString: Server must be reached by tcp:, not by ${protocol.toLowerCase()}:`)
  }
  if (/^\(localdb\)/i.test(rest)) {
    throw new InvalidConfigError('connectionString: (localdb) has no TCP port; it cannot be reached from Node')
  }
  const [, name = '', portText] = /^([^,]*)(?:,(.*))?$/s.exec(rest) ?? []
  const [host = '', instance, ...more] = name.trim().split('\\')
  if (more.length > 0) throw new InvalidConfigError('connectionString: Server has more than one instance name')
  const server = checkHost(host.trim())
  const port = portText === undefined ? undefined : parsePort(portText)
  return { server, ...whereIs(port, instance?.trim()) }
}

/** A port that is given makes the instance's name superfluous, as for every other client. */
export function whereIs(port: number | undefined, instance: string | undefined): Omit<DataSource, 'server'> {
  if (port !== undefined) return { port }
  if (instance === undefined || instance === '' || instance.toUpperCase() === 'MSSQLSERVER') return {}
  return { instanceName: instance }
}

/** @throws InvalidConfigError where there is no host. */
export function checkHost(host: string): string {
  if (host === '') throw new InvalidConfigError('connectionString: the host (Server) is missing')
  if (LOCAL_NAMES.includes(host.toLowerCase())) return 'localhost'
  const inBrackets = /^\[(.*)\]$/.exec(host)?.[1]
  const bare = inBrackets ?? host
  if (isIPv6(bare)) return bare
  if (inBrackets !== undefined) throw new InvalidConfigError('connectionString: what is in [] is no IPv6 address')
  if (bare.includes(':')) {
    throw new InvalidConfigError('connectionString: in Server, the port comes after a comma: host,1433')
  }
  if (!/^[\w.-]+$/u.test(bare))
    throw new InvalidConfigError('connectionString: the host (Server) is not a name or an address')
  return bare
}

/** @throws InvalidConfigError */
export function parsePort(text: string): number {
  const port = /^\s*\d{1,5}\s*$/.test(text) ? Number(text) : 0
  if (port < 1 || port > 65_535)
    throw new InvalidConfigError('connectionString: the port must be a number from 1 to 65535')
  return port
}
