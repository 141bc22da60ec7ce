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
  return {
    kind: database,
    ...SQL_FACTORIES[database],
    options: withoutUndefined({ ...where, ...server, regionSuffix }),
    uses: [
      'ConnectionString',
      'SQLMetastoreDBType',
      'RegionSuffix',
      'EnableRegionSuffix',
      ...(database === 'sqlite' ? [] : ['PoolMaxOpen', 'PoolMaxIdle', 'PoolMaxLifetime', 'PoolMaxIdleTime']),
      ...(database === 'mysql' || database === 'postgres' ? ['ReplicaReadConsistency'] : []),
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

/** What wraps system keys. @throws InvalidConfigError */
export function kmsPlan(settings: Settings): BackendPlan {
  switch (settings.text('KMS')) {
    case 'static':
      return staticPlan(settings)
    case 'test-debug-static':
      return {
        kind: 'test-debug-static',
        package: '@asherah/kms-static',
        factory: 'createInsecureTestKms',
        options: withoutUndefined({ allowInProduction: settings.flag('AllowInsecureTestKms') }),
        uses: ['AllowInsecureTestKms'],
      }
    case 'secrets-manager':
      return secretsManagerPlan(settings)
    case 'aws':
      return awsPlan(settings)
    default:
      return vaultPlan(settings)
  }
}

function staticPlan(settings: Settings): BackendPlan {
  const masterKeyHex = settings.text('StaticMasterKeyHex')
  if (masterKeyHex === undefined) {
    throw new InvalidConfigError(
      'StaticMasterKeyHex is missing: KMS static needs 64 hex digits, there or in STATIC_MASTER_KEY_HEX; there is no default key',
    )
  }
  if (!/^[0-9a-f]{64}$/i.test(masterKeyHex)) throw new InvalidConfigError('StaticMasterKeyHex is exactly 64 hex digits')
  return {
    kind: 'static',
    package: '@asherah/kms-static',
    factory: 'createStaticKms',
    options: { masterKeyHex },
    uses: ['StaticMasterKeyHex'],
  }
}

function awsPlan(settings: Settings): BackendPlan {
  const regionMap = settings.map('RegionMap')
  const keyId = settings.text('KmsKeyId')
  if (regionMap !== undefined && keyId !== undefined)
    throw new InvalidConfigError('give RegionMap or KmsKeyId, not both')
  if (regionMap === undefined && keyId === undefined) {
    throw new InvalidConfigError('RegionMap is missing: KMS aws needs RegionMap (ARNs by region) or KmsKeyId')
  }
  const preferred = settings.text('PreferredRegion')
  const regions = Object.keys(regionMap ?? {})
  if (regions.length > 1 && preferred === undefined) {
    throw new InvalidConfigError('PreferredRegion is missing: RegionMap names several regions')
  }
  if (preferred !== undefined && regionMap !== undefined && !regions.includes(preferred)) {
    throw new InvalidConfigError('PreferredRegion is not a region of RegionMap')
  }
  const options =
    regionMap === undefined
      ? { keyId, region: settings.text('DynamoDBRegion') ?? preferred }
      : { regionMap, preferredRegion: preferred ?? regions[0] }
  return {
    kind: 'aws',
    package: '@asherah/kms-aws',
    factory: 'createAwsKms',
    options: withoutUndefined({ ...options, profile: settings.text('AwsProfileName') }),
    uses: [
      'RegionMap',
      'PreferredRegion',
      'KmsKeyId',
      'AwsProfileName',
      ...(keyId === undefined ? [] : ['DynamoDBRegion']),
    ],
  }
}

function secretsManagerPlan(settings: Settings): BackendPlan {
  const secretId = settings.text('SecretsManagerSecretId')
  if (secretId === undefined) {
    throw new InvalidConfigError('SecretsManagerSecretId is missing: KMS secrets-manager needs it')
  }
  return {
    kind: 'secrets-manager',
    package: '@asherah/kms-secrets-manager',
    factory: 'createSecretsManagerKms',
    options: withoutUndefined({
      secretId,
      region: settings.text('DynamoDBRegion'),
      profile: settings.text('AwsProfileName'),
    }),
    uses: ['SecretsManagerSecretId', 'AwsProfileName', 'DynamoDBRegion'],
  }
}

function vaultPlan(settings: Settings): BackendPlan {
  const address = settings.text('VaultAddr')
  const key = settings.text('VaultTransitKey')
  if (address === undefined || key === undefined) {
    throw new InvalidConfigError(
      `${address === undefined ? 'VaultAddr' : 'VaultTransitKey'} is missing: KMS vault needs it`,
    )
  }
  return {
    kind: 'vault',
    package: '@asherah/kms-vault',
    factory: 'createVaultKms',
    options: withoutUndefined({ address, key, mount: settings.text('VaultTransitMount'), auth: vaultAuth(settings) }),
    uses: [
      'VaultAddr',
      'VaultTransitKey',
      'VaultTransitMount',
      'VaultToken',
      'VaultAuthMethod',
      'VaultAuthRole',
      'VaultAuthMount',
      'VaultApproleRoleId',
      'VaultApproleSecretId',
      'VaultClientCert',
      'VaultClientKey',
      'VaultK8sTokenPath',
    ],
  }
}

function vaultAuth(settings: Settings): Readonly<Record<string, unknown>> {
  const token = settings.text('VaultToken')
  const method = settings.text('VaultAuthMethod')
  if (token !== undefined && method !== undefined) {
    throw new InvalidConfigError('give VaultToken or VaultAuthMethod, not both')
  }
  const mount = settings.text('VaultAuthMount')
  const role = settings.text('VaultAuthRole')
  switch (method) {
    case undefined:
      if (token === undefined)
        throw new InvalidConfigError('VaultToken is missing: KMS vault needs it, or VaultAuthMethod')
      return { method: 'token', token }
    case 'approle':
      return withoutUndefined({
        method: 'approle',
        mount,
        roleId: needed(settings, 'VaultApproleRoleId', method),
        secretId: settings.text('VaultApproleSecretId'),
      })
    case 'cert':
    case 'tls':
      return withoutUndefined({
        method: 'cert',
        mount,
        role,
        cert: needed(settings, 'VaultClientCert', method),
        key: needed(settings, 'VaultClientKey', method),
      })
    default:
      return withoutUndefined({
        method: 'kubernetes',
        mount,
        role: needed(settings, 'VaultAuthRole', method),
        tokenPath: settings.text('VaultK8sTokenPath'),
      })
  }
}

function needed(settings: Settings, name: string, method: string): string {
  const value = settings.text(name)
  if (value === undefined) throw new InvalidConfigError(`${name} is missing: VaultAuthMethod ${method} needs it`)
  return value
}
