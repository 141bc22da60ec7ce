import { stat } from 'node:fs/promises'
import { InvalidConfigError, type Metastore } from '@asherah/core'
import { checkKnownOptions } from '@asherah/core/backend'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { FileError, fileError, hasCode } from '../errors.ts'
import type { Settings } from '../settings.ts'
import { type LoadPackage, loadMetastore } from './load-metastore.ts'

/** A metastore that the command opened, and closes. */
export type OpenMetastore = Metastore & { close(): Promise<void> }

/** Where a metastore is, as `--metastore` names it. */
export interface MetastorePlace {
  /** For messages and reports: never a password. */
  readonly label: string
  /** The file of an SQLite metastore; undefined: it is a server's. */
  readonly file: string | undefined
  /** Nothing is made before a key is stored. The caller closes it. @throws InvalidConfigError when its package is not installed. */
  open(): Promise<OpenMetastore>
}

const sqliteScheme = 'sqlite://'

/** Each database with a package of its own, by the schemes of its connection strings. */
const servers = [
  { schemes: ['postgres', 'postgresql'], package: '@asherah/metastore-postgres', factory: 'createPostgresMetastore' },
  { schemes: ['mysql', 'mariadb'], package: '@asherah/metastore-mysql', factory: 'createMysqlMetastore' },
  { schemes: ['sqlserver', 'mssql'], package: '@asherah/metastore-mssql', factory: 'createMssqlMetastore' },
  { schemes: ['oracle'], package: '@asherah/metastore-oracle', factory: 'createOracleMetastore' },
] as const

const dynamoDb = { package: '@asherah/metastore-dynamodb', factory: 'createDynamoDbMetastore' }
const dynamoDbOptions = ['region', 'endpoint', 'signingRegion', 'regionSuffix']

/** `Server=…;Database=…`, as .NET writes it: SQL Server. */
const adoText = /^\s*(server|data source|addr|address|network address)\s*=/i

const forms = `${sqliteScheme}PATH, such as ${sqliteScheme}keys.db; postgres://, mysql://, mariadb://, sqlserver:// or oracle:// with host and database; Server=…;Database=… (SQL Server); or dynamodb://TABLE?region=REGION`

/** The metastore of `--metastore`, or else of a config of `@asherah/config`. @throws InvalidConfigError when there is none. */
export function chosenMetastore(settings: Settings): MetastorePlace {
  const plan = settings.given('metastore') === undefined ? settings.library?.metastore : undefined
  if (plan === undefined) return metastorePlace(settings.required('metastore'))
  const { kind, options } = plan
  if (kind === 'memory') throw new InvalidConfigError('Metastore memory would lose every key at the end of this run')
  if (kind !== 'sqlite') return { label: kind, file: undefined, open: () => loadMetastore(plan) }
  const path = String(options.path)
  return { label: sqliteScheme + path, file: path, open: () => loadMetastore(plan) }
}

/** Finds the database of a `--metastore`. @throws InvalidConfigError which holds nothing of the text. */
export function metastorePlace(text: string, load?: LoadPackage): MetastorePlace {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme === 'sqlite') return sqlitePlace(text.slice(sqliteScheme.length))
  if (scheme === 'dynamodb') {
    const { label, options } = parseDynamoDb(text)
    return { label, file: undefined, open: () => loadMetastore({ ...dynamoDb, options }, load) }
  }
  const wanted = scheme ?? (adoText.test(text) ? 'sqlserver' : undefined)
  const server = servers.find(({ schemes }) => schemes.some((known) => known === wanted))
  // The text is not quoted: it may hold a password.
  if (server === undefined) throw new InvalidConfigError(`--metastore must be ${forms}`)
  const connectionString = scheme === 'mariadb' ? `mysql${text.slice(scheme.length)}` : text
  const label = scheme === undefined ? 'sqlserver' : labelOf(text, scheme)
  return { label, file: undefined, open: () => loadMetastore({ ...server, options: { connectionString } }, load) }
}

/** A file that is not there reads as an empty metastore: says so instead. A server says so itself. @throws FileError */
export async function checkMetastoreExists({ file }: MetastorePlace): Promise<void> {
  if (file === undefined) return
  try {
    await stat(file)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new FileError(`there is no metastore '${file}': check --metastore`)
    throw fileError(`open the metastore '${file}'`, error)
  }
}

/** Relative (`sqlite://keys.db`) or absolute (`sqlite:///var/lib/keys.db`); nothing is decoded. */
function sqlitePlace(path: string): MetastorePlace {
  if (path === '') throw new InvalidConfigError(`--metastore must be ${forms}`)
  return { label: sqliteScheme + path, file: path, open: async () => createSqliteMetastore({ path }) }
}

/** `postgres://host:5432/database`: no user, no password, no parameters. The scheme alone, where it is not sure which is which. */
function labelOf(text: string, scheme: string): string {
  const isClear = text.split('@').length <= 2
  const place = /^[^:]+:\/\/(?:[^@/?#;\s]*@)?([\w.:[\]-]+(?:\/[\w.-]*)?)(?=[?;]|$)/.exec(text)?.[1]
  return isClear && place !== undefined ? `${scheme}://${place}` : scheme
}

function parseDynamoDb(text: string): { readonly label: string; readonly options: Readonly<Record<string, unknown>> } {
  const [, tableName = '', query = ''] = /^dynamodb:\/\/([^?/]*)\/?(?:\?(.*))?$/i.exec(text) ?? []
  if (!/^[A-Za-z0-9_.-]{3,255}$/.test(tableName)) {
    throw new InvalidConfigError(
      '--metastore dynamodb://TABLE?region=REGION needs the name of a table: 3 to 255 of A-Z a-z 0-9 _ . -',
    )
  }
  const given = Object.fromEntries(new URLSearchParams(query))
  checkKnownOptions('--metastore dynamodb://', given, dynamoDbOptions)
  const { regionSuffix, ...rest } = given
  const suffix = regionSuffix === undefined ? {} : { regionSuffix: regionSuffix === 'true' ? true : regionSuffix }
  return { label: `dynamodb://${tableName}`, options: { tableName, ...rest, ...suffix } }
}
