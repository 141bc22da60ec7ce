import { InvalidConfigError } from '@asherah/core/backend'
import { parseAdoText, type Server } from './ado-text.ts'

/** A database that keeps a metastore. */
export type Database = 'mysql' | 'postgres' | 'mssql' | 'oracle' | 'sqlite'

/** Where a connection string leads. Hold it as a secret. */
export interface Route {
  readonly database: Database
  /** In the form that the database's metastore takes; for sqlite a path. */
  readonly connectionString: string
}

const SCHEMES: Readonly<Record<string, Database>> = {
  mysql: 'mysql',
  postgres: 'postgres',
  postgresql: 'postgres',
  sqlserver: 'mssql',
  mssql: 'mssql',
  oracle: 'oracle',
  sqlite: 'sqlite',
}

const FORMS =
  'mysql://, a Go MySQL DSN (user:password@tcp(host:3306)/database), postgres://, postgresql://, sqlserver://, mssql://, ' +
  'ADO text (Server=…;Database=…), oracle:// or sqlite://; or SQLMetastoreDBType names the database'

/** Key-value text with semicolons, as .NET writes it. */
const ADO = /^\s*(server|data source|addr|address|network address|host)\s*=[^;]*;/i

/** What libpq and Go's lib/pq take. */
const LIBPQ = /^\s*\w+\s*=/

/**
 * Finds the database of `Metastore: rdbms` from its connection string, or from `SQLMetastoreDBType`.
 *
 * @param kind The value of `SQLMetastoreDBType`.
 * @throws InvalidConfigError which holds nothing of the text.
 */
export function routeConnectionString(text: string, kind?: string): Route {
  const wanted = kind === undefined ? undefined : SCHEMES[kind]
  if (kind !== undefined && wanted === undefined) throw new InvalidConfigError('SQLMetastoreDBType is not known')
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
  const named = scheme === undefined ? undefined : SCHEMES[scheme]
  if (scheme !== undefined && named === undefined) throw unknownForm()
  const found = named ?? formOf(text) ?? wanted
  if (found === undefined) throw unknownForm()
  // .NET writes the same text for several databases: there the kind decides.
  const database = ADO.test(text) && wanted !== undefined ? wanted : found
  if (wanted !== undefined && wanted !== database) {
    throw new InvalidConfigError(`ConnectionString is of ${database}, but SQLMetastoreDBType says ${wanted}`)
  }
  return { database, connectionString: formFor(database, text, scheme) }
}

/** The path that `Metastore: sqlite` is given: a path, or `sqlite://path`. @throws InvalidConfigError */
export function sqlitePath(text: string): string {
  const path = text.replace(/^sqlite:\/\//i, '')
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) {
    throw new InvalidConfigError('ConnectionString is the path of a file for Metastore sqlite; use rdbms for a server')
  }
  return path
}

function formFor(database: Database, text: string, scheme: string | undefined): string {
  if (database === 'sqlite') return sqlitePath(text)
  if (scheme !== undefined || database === 'mssql') return text
  if (database === 'oracle') return oracleUrl(text)
  if (ADO.test(text)) return urlOf(database, parseAdoText(text))
  return isGoDsn(text) || LIBPQ.test(text) ? text : `${database}://${text}`
}

/** Of `user/password@host:1521/service`, as Oracle's own tools take it. */
function oracleUrl(text: string): string {
  const [, user, password, place] = /^([^/@]+)\/(.*)@([^@]+)$/s.exec(text) ?? []
  if (user === undefined || password === undefined) return `oracle://${text}`
  return `oracle://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${place}`
}

/** What a text without a scheme is by its form alone. */
function formOf(text: string): Database | undefined {
  if (isGoDsn(text)) return 'mysql'
  return ADO.test(text) ? 'mssql' : undefined
}

function isGoDsn(text: string): boolean {
  return /^(?:.*@)?(?:tcp4?|tcp6|unix)\([^()]*\)\//is.test(text)
}

function urlOf(scheme: string, { user, password, host, port, database }: Server): string {
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`
  const login = user === undefined ? '' : `${encodeURIComponent(user)}${secret}@`
  const place = `${host.includes(':') ? `[${host}]` : host}${port === undefined ? '' : `:${port}`}`
  return `${scheme}://${login}${place}/${encodeURIComponent(database ?? '')}`
}

function unknownForm(): InvalidConfigError {
  return new InvalidConfigError(`ConnectionString has none of the known forms: ${FORMS}`)
}
