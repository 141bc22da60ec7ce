import { InvalidConfigError } from '@asherah/core/backend'

/** Where a text leads to. */
export interface Server {
  readonly user: string | undefined
  readonly password: string | undefined
  readonly host: string
  readonly port: string | undefined
  readonly database: string | undefined
}

const NAMES: Readonly<Record<string, 'host' | 'port' | 'database' | 'user' | 'password'>> = {
  server: 'host',
  host: 'host',
  'data source': 'host',
  port: 'port',
  database: 'database',
  'initial catalog': 'database',
  user: 'user',
  uid: 'user',
  'user id': 'user',
  username: 'user',
  password: 'password',
  pwd: 'password',
}

const PAIR = /\s*([a-z][a-z ]*?)\s*=\s*(?:"((?:[^"]|"")*)"|'((?:[^']|'')*)'|([^;]*?))\s*(?:;|$)/iy

/**
 * Parses `Server=…;Port=…;Database=…;Uid=…;Pwd=…`, as .NET's drivers of MySQL and Postgres take it. (SQL Server's metastore
 * takes such a text itself.)
 *
 * @throws InvalidConfigError which holds nothing of the text but the names of keys.
 */
export function parseAdoText(text: string): Server {
  const found: Partial<Record<'host' | 'port' | 'database' | 'user' | 'password', string>> = {}
  const trimmed = text.trimEnd()
  PAIR.lastIndex = 0
  while (PAIR.lastIndex < trimmed.length) {
    const match = PAIR.exec(trimmed)
    if (match === null) throw new InvalidConfigError('ConnectionString is not text such as Server=…;Database=…')
    const name = NAMES[(match[1] ?? '').toLowerCase()]
    if (name === undefined) {
      throw new InvalidConfigError(
        `ConnectionString: the key ${JSON.stringify(match[1])} is not known for this database: give a mysql:// or postgres:// URL`,
      )
    }
    found[name] = match[2]?.replaceAll('""', '"') ?? match[3]?.replaceAll("''", "'") ?? match[4] ?? ''
  }
  if (found.host === undefined || found.host === '') throw new InvalidConfigError('ConnectionString has no Server=')
  const { host, port, database, user, password } = found
  return { host, port, database, user, password }
}
