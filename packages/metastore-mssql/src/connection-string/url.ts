import { InvalidConfigError } from '@asherah/core/backend'
import { type Keywords, parseKeywords } from './ado.ts'
import { checkHost, type DataSource, parsePort, whereIs } from './data-source.ts'

/** A URL's parts, before anything is known about them. */
export interface UrlParts {
  readonly source: DataSource
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  readonly keywords: Keywords
}

const SCHEME = /^(?:jdbc:)?(sqlserver|mssql):\/\//i
/** Host, instance and port, up to where the rest begins. */
const HOST = /^(\[[^\]]*\]|[^\s/?;#@:,\\]*)(?:\\([^/?;#@:]*))?(?::([^/?;#@]*))?(?=[/?;#]|$)/

export function isUrl(text: string): boolean {
  return SCHEME.test(text)
}

/**
 * `sqlserver://user:pass@host:port;database=Db;…` (JDBC's and our own), `sqlserver://user:pass@host/instance?database=Db`
 * (Go's), `mssql://user:pass@host:port/Db?…` (Node's).
 *
 * In user and password, percent sequences are decoded, and other signs stand for themselves wherever the host is still
 * found without doubt.
 *
 * @throws InvalidConfigError that names no value.
 */
export function parseUrl(text: string): UrlParts {
  const [start, scheme = ''] = SCHEME.exec(text) ?? ['']
  const { userInfo, rest } = splitUserInfo(text.slice(start.length))
  const [whole, host = '', instance, port] = HOST.exec(rest) ?? ['']
  const server = checkHost(decode(host))
  const tail = rest.slice(whole.length)
  const [, path = '', keywordText = ''] = /^(?:\/([^?;]*))?(?:[?;]([\s\S]*))?$/.exec(tail) ?? unreadable()
  const keywords = tail.includes('?') && !tail.startsWith(';') ? parseQuery(keywordText) : parseKeywords(keywordText)
  const segment = decode(path.replace(/\/$/, ''))
  // Go's path is the instance, Node's the database; whoever names the database elsewhere means the former.
  const isInstance = scheme.toLowerCase() === 'sqlserver' && hasDatabase(keywords)
  const colon = userInfo?.indexOf(':') ?? -1
  return {
    source: {
      server,
      ...whereIs(
        port === undefined || port === '' ? undefined : parsePort(port),
        instance ?? (isInstance ? segment : undefined),
      ),
    },
    user: userInfo === undefined ? undefined : decode(colon < 0 ? userInfo : userInfo.slice(0, colon)),
    password: userInfo === undefined || colon < 0 ? undefined : decode(userInfo.slice(colon + 1)),
    database: isInstance || segment === '' ? undefined : segment,
    keywords,
  }
}

function unreadable(): never {
  throw new InvalidConfigError(
    'connectionString: what follows the host must be /database, ?name=value or ;name=value; a password with / ? # ; needs percent encoding',
  )
}

function splitUserInfo(text: string): { readonly userInfo: string | undefined; readonly rest: string } {
  if (!hasUserInfo(text)) return { userInfo: undefined, rest: text }
  const first = text.indexOf('@')
  let at = first
  while (at >= 0 && !HOST.exec(text.slice(at + 1))?.[1]) at = text.indexOf('@', at + 1)
  const end = at < 0 ? first : at
  return { userInfo: text.slice(0, end), rest: text.slice(end + 1) }
}

/** Whether a user stands before the host, also where the password has signs that end a host. */
function hasUserInfo(text: string): boolean {
  if (!text.includes('@')) return false
  const [first = ''] = /^[^/?;#]*/.exec(text) ?? []
  // No port has anything but digits in it, and no path an @.
  return first.includes('@') || /^[^:[\]]+:\d*[^\d/?;#]/.test(first) || /^[^:[\]]+:\d*\/[^?;]*@/.test(text)
}

function parseQuery(text: string): Keywords {
  const pairs = text.split(/[&;]/).filter((pair) => pair !== '')
  return new Map(
    pairs.map((pair) => {
      const equals = pair.indexOf('=')
      if (equals < 1) unreadable()
      return [decode(pair.slice(0, equals).replaceAll('+', ' ')), decode(pair.slice(equals + 1).replaceAll('+', ' '))]
    }),
  )
}

function hasDatabase(keywords: Keywords): boolean {
  return [...keywords.keys()].some((keyword) => /^(database|databasename|initial\s*catalog)$/i.test(keyword))
}

/** Text with a `%` that begins no sequence is taken as it is. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
