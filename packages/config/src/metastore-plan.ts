import { InvalidConfigError } from '@asherah/core'
import { type Database, type Route, routeConnectionString, sqlitePath } from './connection-string.ts'
import type { Settings } from './settings.ts'
import { withoutUndefined } from './without-undefined.ts'

/** One backend to load, and what to call in it. Hold `options` as a secret. */
export interface BackendPlan {
  /** As warnings and the drift guard name it: `mysql`, `dynamodb`, `aws`, … */
  readonly kind: string
  readonly package: string
  /** The function that makes it. */
  readonly factory: string
  readonly options: Readonly<Record<string, unknown>>
  /** The config keys that went into it. */
  readonly uses: readonly string[]
}

/** Where the metastore is. @throws InvalidConfigError */
export function metastorePlan(settings: Settings): BackendPlan {
  const kind = settings.text('Metastore')
  switch (kind) {
    case 'memory':
    case 'test-debug-memory':
      return {
        kind: 'memory',
        package: '@asherah/metastore-memory',
        factory: 'createMemoryMetastore',
        options: withoutUndefined({ regionSuffix: ownSuffix(settings) }),
        uses: ['RegionSuffix'],
      }
    case 'sqlite':
    case 'test-debug-sqlite': {
      const text = connectionString(settings, 'the path of a file (or SQLITE_PATH)')
      return sqlPlan(settings, { database: 'sqlite', connectionString: sqlitePath(text) })
    }
    case 'rdbms': {
      const text = connectionString(settings, 'a connection string')
      return sqlPlan(settings, routeConnectionString(text, settings.text('SQLMetastoreDBType')))
    }
    default:
      return dynamoDbPlan(settings)
  }
}

function connectionString(settings: Settings, what: string): string {
  const text = settings.text('ConnectionString')
  if (text !== undefined) return text
  throw new InvalidConfigError(`ConnectionString is missing: Metastore ${settings.text('Metastore')} needs ${what}`)
}

/** Of the stores that have no regions of their own. */
function ownSuffix(settings: Settings): string | undefined {
  if (settings.flag('EnableRegionSuffix') === true && settings.text('RegionSuffix') === undefined) {
    throw new InvalidConfigError(
      `EnableRegionSuffix takes the region of Metastore dynamodb; with ${settings.text('Metastore')}, give RegionSuffix`,
    )
  }
  return settings.text('RegionSuffix')
}

const SQL_FACTORIES: Readonly<Record<Database, { readonly package: string; readonly factory: string }>> = {
  mysql: { package: '@asherah/metastore-mysql', factory: 'createMysqlMetastore' },
  postgres: { package: '@asherah/metastore-postgres', factory: 'createPostgresMetastore' },
  mssql: { package: '@asherah/metastore-mssql', factory: 'createMssqlMetastore' },
  oracle: { package: '@asherah/metastore-oracle', factory: 'createOracleMetastore' },
  sqlite: { package: '@asherah/metastore-sqlite', factory: 'createSqliteMetastore' },
}

function sqlPlan(settings: Settings, { database, connectionString }: Route): BackendPlan {
  const regionSuffix = ownSuffix(settings)
  const where = database === 'sqlite' ? { path: connectionString } : { connectionString }
  const server = database === 'sqlite' ? {} : poolOptions(settings, database)
  const hasTls = database !== 'sqlite' && database !== 'oracle'
  const serverName = hasTls ? settings.text('TlsServerName') : undefined
  const tls = serverName === undefined ? undefined : { serverName }
  return {
    kind: database,
    ...SQL_FACTORIES[database],
    options: withoutUndefined({ ...where, ...server, tls, regionSuffix }),
    uses: [
      'ConnectionString',
      'SQLMetastoreDBType',
      'RegionSuffix',
      'EnableRegionSuffix',
      ...(database === 'sqlite' ? [] : ['PoolMaxOpen', 'PoolMaxIdle', 'PoolMaxLifetime', 'PoolMaxIdleTime']),
      ...(database === 'mysql' || database === 'postgres' ? ['ReplicaReadConsistency'] : []),
      ...(hasTls ? ['TlsServerName'] : []),
    ],
  }
}

function poolOptions(settings: Settings, database: Database): Readonly<Record<string, unknown>> {
  const ms = (name: string): number | undefined => {
    const seconds = settings.number(name)
    return seconds === undefined ? undefined : seconds * 1_000
  }
  return {
    maxConnections: settings.number('PoolMaxOpen'),
    minIdleConnections: settings.number('PoolMaxIdle'),
    maxLifetimeMs: ms('PoolMaxLifetime'),
    idleTimeoutMs: ms('PoolMaxIdleTime'),
    ...((database === 'mysql' || database === 'postgres') && {
      replicaReadConsistency: settings.text('ReplicaReadConsistency'),
    }),
  }
}

function dynamoDbPlan(settings: Settings): BackendPlan {
  const text = settings.text('RegionSuffix')
  const profile = settings.text('AwsProfileName')
  const options = {
    tableName: settings.text('DynamoDBTableName'),
    region: settings.text('DynamoDBRegion'),
    endpoint: settings.text('DynamoDBEndpoint'),
    signingRegion: settings.text('DynamoDBSigningRegion'),
    regionSuffix: text ?? (settings.flag('EnableRegionSuffix') === true ? true : undefined),
    clientConfig: profile === undefined ? undefined : { profile },
  }
  return {
    kind: 'dynamodb',
    package: '@asherah/metastore-dynamodb',
    factory: 'createDynamoDbMetastore',
    options: withoutUndefined(options),
    uses: [
      'DynamoDBTableName',
      'DynamoDBRegion',
      'DynamoDBEndpoint',
      'DynamoDBSigningRegion',
      'RegionSuffix',
      'EnableRegionSuffix',
      'AwsProfileName',
    ],
  }
}
