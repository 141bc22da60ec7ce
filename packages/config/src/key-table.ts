/** What a key's value is, in an object; in the environment each has one text form. */
export type KeyType = 'text' | 'secret' | 'choice' | 'flag' | 'seconds' | 'count' | 'textList' | 'regionMap'

/** The part of a program that a key is for. */
export type KeyGroup =
  | 'keys'
  | 'metastore'
  | 'sql'
  | 'dynamodb'
  | 'kms'
  | 'aws'
  | 'vault'
  | 'cache'
  | 'guard'
  | 'legacy'

/** One config key: the only place where it is described. Checks, “did you mean”, docs, JSON Schema and types come from it. */
export interface ConfigKey {
  /** In PascalCase. */
  readonly name: string
  /** In camelCase. */
  readonly camel: string
  /** Further names that are accepted, deprecated. */
  readonly aliases: readonly string[]
  readonly type: KeyType
  /** For a choice, in lower case; any case is accepted. */
  readonly choices: readonly string[]
  /** For seconds and counts. */
  readonly min: number
  readonly max: number
  /** Environment variables, the first one that is set counts. */
  readonly env: readonly string[]
  /** The environment is read for it also when the config is an object or a file. */
  readonly ambient: boolean
  readonly group: KeyGroup
  /** For the docs. */
  readonly byDefault: string
  readonly about: string
  /** It had an effect in no old package, or has none here: accepted with one warning. */
  readonly noEffect: boolean
}

/** Ten years: more is a value in nanoseconds, as 3.x of the Go-based package took it. */
const TEN_YEARS = 10 * 366 * 86_400
const U32 = 2 ** 32 - 1

type Given = Partial<Omit<ConfigKey, 'name' | 'type' | 'about'>>

function key(name: string, type: KeyType, group: KeyGroup, about: string, given: Given = {}): ConfigKey {
  const camel = given.camel ?? camelOf(name)
  const range = type === 'seconds' ? { min: 1, max: TEN_YEARS } : { min: 0, max: U32 }
  const rest = { aliases: [], choices: [], env: [], ambient: false, byDefault: 'none', noEffect: false }
  return { ...rest, ...range, ...given, name, camel, type, group, about }
}

/** `KMS` is `kms`, `VaultAddr` is `vaultAddr`. */
function camelOf(name: string): string {
  return /^[A-Z]+$/.test(name) ? name.toLowerCase() : name.charAt(0).toLowerCase() + name.slice(1)
}

const METASTORES = ['memory', 'sqlite', 'rdbms', 'dynamodb', 'test-debug-memory', 'test-debug-sqlite']
const KMS_KINDS = ['aws', 'static', 'secrets-manager', 'vault', 'vault-transit', 'test-debug-static']
const DATABASES = ['mysql', 'postgres', 'postgresql', 'mssql', 'sqlserver', 'oracle', 'sqlite']

const ambient = true
const noEffect = true

/** Every config key. */
export const configKeys: readonly ConfigKey[] = [
  key('ServiceName', 'text', 'keys', 'The service: part of every key id.', {
    env: ['SERVICE_NAME'],
    byDefault: 'required',
  }),
  key('ProductID', 'text', 'keys', 'The product: part of every key id.', {
    camel: 'productId',
    env: ['PRODUCT_ID'],
    byDefault: 'required',
  }),
  key('ExpireAfter', 'seconds', 'keys', 'A key older than this writes no more.', {
    env: ['EXPIRE_AFTER_SECS'],
    byDefault: '90 days',
  }),
  key(
    'CheckInterval',
    'seconds',
    'keys',
    'How long a key is used before its row is read again: how soon a revocation is noticed.',
    { env: ['REVOKE_CHECK_INTERVAL_SECS'], byDefault: '60 minutes' },
  ),
  key('CreateDatePrecision', 'seconds', 'keys', 'New keys’ creation time is cut to this.', {
    max: 86_400,
    env: ['CREATE_DATE_PRECISION_SECS'],
    byDefault: '1 minute',
  }),
  key(
    'RotationStrategy',
    'choice',
    'keys',
    '`inline`: the encrypt that finds a key expired makes the new one. `queued`: a rotation runs behind.',
    { choices: ['inline', 'queued'], byDefault: 'inline' },
  ),
  key('NotifyExpiredKeyOnRead', 'flag', 'keys', 'Tell when an expired key decrypts.', { byDefault: 'false' }),
  key('Verbose', 'flag', 'keys', 'The log hook gets debug messages too.', {
    env: ['ASHERAH_NODE_DEBUG'],
    ambient,
    byDefault: 'false',
  }),

  key('Metastore', 'choice', 'metastore', 'Where wrapped keys are kept.', {
    choices: METASTORES,
    env: ['Metastore'],
    byDefault: 'required',
  }),
  key('ConnectionString', 'secret', 'metastore', 'The database of `rdbms`, or the file of `sqlite`.', {
    env: ['POSTGRES_URL', 'MYSQL_URL', 'MSSQL_URL', 'ORACLE_URL', 'SQLITE_PATH'],
    byDefault: 'required for rdbms and sqlite',
  }),
  key('SQLMetastoreDBType', 'choice', 'sql', 'The database, where the connection string does not say.', {
    camel: 'sqlMetastoreDbType',
    aliases: ['sqlMetastoreDBType'],
    choices: DATABASES,
    env: ['ASHERAH_SQL_METASTORE_DB_TYPE'],
    byDefault: 'from the connection string',
  }),
  key('ReplicaReadConsistency', 'choice', 'sql', 'Aurora: what a read of a replica waits for.', {
    choices: ['eventual', 'global', 'session'],
    env: ['REPLICA_READ_CONSISTENCY'],
  }),
  key(
    'TlsServerName',
    'text',
    'sql',
    'MySQL, PostgreSQL, SQL Server: the name in the server’s certificate, where the host is another name or an IP address. ' +
      'With it, TLS is on and verified, also to a local host.',
    { env: ['ASHERAH_TLS_SERVER_NAME'], ambient, byDefault: 'the host' },
  ),
  key('PoolMaxOpen', 'count', 'sql', 'Connections at most.', {
    min: 1,
    max: 1_000,
    env: ['ASHERAH_POOL_MAX_OPEN', 'ASHERAH_POOL_SIZE'],
    ambient,
    byDefault: 'the backend’s',
  }),
  key('PoolMaxIdle', 'count', 'sql', 'Idle connections that are kept.', {
    max: 1_000,
    env: ['ASHERAH_POOL_MAX_IDLE'],
    ambient,
    byDefault: 'the backend’s',
  }),
  key('PoolMaxLifetime', 'seconds', 'sql', 'A connection older than this is closed.', {
    env: ['ASHERAH_POOL_MAX_LIFETIME'],
    ambient,
    byDefault: 'no limit',
  }),
  key('PoolMaxIdleTime', 'seconds', 'sql', 'A connection idle for longer is closed.', {
    env: ['ASHERAH_POOL_MAX_IDLE_TIME'],
    ambient,
    byDefault: 'the backend’s',
  }),
  key('DynamoDBEndpoint', 'text', 'dynamodb', 'Another endpoint than the region’s.', {
    camel: 'dynamoDbEndpoint',
    aliases: ['dynamoDBEndpoint'],
    env: ['AWS_ENDPOINT_URL_DYNAMODB', 'AWS_ENDPOINT_URL'],
  }),
  key('DynamoDBRegion', 'text', 'dynamodb', 'The region of the table; also of a single KMS key.', {
    camel: 'dynamoDbRegion',
    aliases: ['dynamoDBRegion'],
    env: ['AWS_REGION'],
    byDefault: 'the AWS SDK’s',
  }),
  key('DynamoDBSigningRegion', 'text', 'dynamodb', 'The region that requests to the endpoint are signed for.', {
    camel: 'dynamoDbSigningRegion',
    aliases: ['dynamoDBSigningRegion'],
    byDefault: 'DynamoDBRegion',
  }),
  key('DynamoDBTableName', 'text', 'dynamodb', 'The table.', {
    camel: 'dynamoDbTableName',
    aliases: ['dynamoDBTableName'],
    env: ['DDB_TABLE'],
    byDefault: 'EncryptionKey',
  }),
  key('EnableRegionSuffix', 'flag', 'dynamodb', 'End every key id in the region, as global tables need.', {
    env: ['DDB_REGION_SUFFIX'],
    byDefault: 'false',
  }),
  key('RegionSuffix', 'text', 'metastore', 'End every key id in this text, with any metastore.', {
    env: ['REGION_SUFFIX'],
  }),
  key('RecoveryRegionSuffixes', 'textList', 'metastore', 'Other regions, whose records are read too.', {
    env: ['RECOVERY_REGION_SUFFIXES'],
    ambient,
  }),
  key(
    'SelfHealRecoveredKeys',
    'flag',
    'metastore',
    'Copy a key found in another region to where a record looks for it.',
    { env: ['SELF_HEAL_RECOVERED_KEYS'], ambient, byDefault: 'false' },
  ),

  key('KMS', 'choice', 'kms', 'What wraps system keys. There is no default.', {
    choices: KMS_KINDS,
    env: ['KMS'],
    byDefault: 'required',
  }),
  key('StaticMasterKeyHex', 'secret', 'kms', 'The master key of `static`: 64 hex digits.', {
    env: ['STATIC_MASTER_KEY_HEX'],
    ambient,
    byDefault: 'required for static',
  }),
  key('AllowInsecureTestKms', 'flag', 'kms', 'Let `test-debug-static` run where NODE_ENV is production.', {
    byDefault: 'false',
  }),
  key('RegionMap', 'regionMap', 'aws', 'KMS key ARNs by region.', {
    env: ['REGION_MAP'],
    byDefault: 'this or KmsKeyId for aws',
  }),
  key('PreferredRegion', 'text', 'aws', 'The region that is asked first; one of RegionMap.', {
    env: ['PREFERRED_REGION'],
    byDefault: 'required with several regions',
  }),
  key('KmsKeyId', 'text', 'aws', 'One KMS key, instead of RegionMap.', { env: ['KMS_KEY_ID'] }),
  key('AwsProfileName', 'text', 'aws', 'A profile of the AWS config files.', { byDefault: 'the AWS SDK’s' }),
  key('SecretsManagerSecretId', 'text', 'aws', 'The secret that holds the master key of `secrets-manager`.', {
    env: ['SECRETS_MANAGER_SECRET_ID'],
    ambient,
  }),
  key('VaultAddr', 'text', 'vault', 'The address of Vault.', { env: ['VAULT_ADDR'], ambient }),
  key('VaultTransitKey', 'text', 'vault', 'The transit key.', { env: ['VAULT_TRANSIT_KEY'], ambient }),
  key('VaultTransitMount', 'text', 'vault', 'Where the transit engine is mounted.', {
    env: ['VAULT_TRANSIT_MOUNT'],
    ambient,
    byDefault: 'transit',
  }),
  key('VaultNamespace', 'text', 'vault', 'The namespace, where Vault has several.', {
    env: ['VAULT_NAMESPACE'],
    ambient,
  }),
  key('VaultToken', 'secret', 'vault', 'A token; not together with VaultAuthMethod.', {
    env: ['VAULT_TOKEN'],
    ambient,
  }),
  key('VaultAuthMethod', 'choice', 'vault', 'How to log in.', {
    choices: ['kubernetes', 'k8s', 'approle', 'cert', 'tls'],
    env: ['VAULT_AUTH_METHOD'],
    ambient,
    byDefault: 'the token',
  }),
  key('VaultAuthRole', 'text', 'vault', 'The role of the login.', { env: ['VAULT_AUTH_ROLE'], ambient }),
  key('VaultAuthMount', 'text', 'vault', 'Where the auth method is mounted.', {
    env: ['VAULT_AUTH_MOUNT'],
    ambient,
    byDefault: 'the method’s name',
  }),
  key('VaultApproleRoleId', 'text', 'vault', 'AppRole: the role id.', { env: ['VAULT_APPROLE_ROLE_ID'], ambient }),
  key('VaultApproleSecretId', 'secret', 'vault', 'AppRole: the secret id.', {
    env: ['VAULT_APPROLE_SECRET_ID'],
    ambient,
  }),
  key('VaultClientCert', 'text', 'vault', 'TLS login: the certificate in PEM, or its file.', {
    env: ['VAULT_CLIENT_CERT'],
    ambient,
  }),
  key('VaultClientKey', 'secret', 'vault', 'TLS login: the private key in PEM, or its file.', {
    env: ['VAULT_CLIENT_KEY'],
    ambient,
  }),
  key('VaultK8sTokenPath', 'text', 'vault', 'Kubernetes: the file of the service account’s token.', {
    env: ['VAULT_K8S_TOKEN_PATH'],
    ambient,
    byDefault: 'the pod’s',
  }),

  key('EnableSessionCaching', 'flag', 'cache', 'Keep the sessions of partitions.', {
    env: ['SESSION_CACHE'],
    byDefault: 'true',
  }),
  key('SessionCacheMaxSize', 'count', 'cache', 'Sessions that are kept at most.', {
    min: 1,
    max: 2 ** 24,
    env: ['SESSION_CACHE_MAX_SIZE'],
    byDefault: '1000',
  }),
  key('SessionCacheDuration', 'seconds', 'cache', 'A session that nobody used for this long is dropped.', {
    env: ['SESSION_CACHE_DURATION_SECS'],
    byDefault: '2 hours',
  }),
  key('CacheSystemKeys', 'flag', 'cache', 'Keep system keys in memory.', {
    env: ['CACHE_SYSTEM_KEYS'],
    byDefault: 'true',
  }),
  key('CacheIntermediateKeys', 'flag', 'cache', 'Keep intermediate keys in memory.', {
    env: ['CACHE_INTERMEDIATE_KEYS'],
    byDefault: 'true',
  }),
  key('SharedIntermediateKeyCache', 'flag', 'cache', 'One cache of intermediate keys for all partitions.', {
    env: ['SHARED_INTERMEDIATE_KEY_CACHE'],
    byDefault: 'false',
  }),
  key('IntermediateKeyCacheMaxSize', 'count', 'cache', 'Intermediate keys that are kept, in each cache.', {
    min: 1,
    max: 2 ** 24,
    env: ['INTERMEDIATE_KEY_CACHE_MAX_SIZE'],
    byDefault: '1000',
  }),

  key(
    'EnableConfigDriftGuard',
    'flag',
    'guard',
    'Record the layout at the first start, and refuse another one later.',
    { env: ['ASHERAH_CONFIG_DRIFT_GUARD'], byDefault: 'false' },
  ),
  key('ConfigDriftForceRun', 'flag', 'guard', 'Start with another layout than the recorded one.', {
    aliases: ['ForceRunWithConfigDrift', 'forceRunWithConfigDrift'],
    env: ['ASHERAH_CONFIG_DRIFT_FORCE_RUN'],
    ambient,
    byDefault: 'false',
  }),
  key('ConfigDriftForceUpdate', 'flag', 'guard', 'Record this layout instead of the old one.', {
    aliases: ['ForceUpdateConfigDriftGuard', 'forceUpdateConfigDriftGuard'],
    env: ['ASHERAH_CONFIG_DRIFT_FORCE_UPDATE'],
    ambient,
    byDefault: 'false',
  }),

  key('DisableZeroCopy', 'flag', 'legacy', 'No effect: input is always encrypted as it was at the call.', {
    noEffect,
    byDefault: 'false',
  }),
  key('NullDataCheck', 'flag', 'legacy', 'No effect.', { noEffect, byDefault: 'false' }),
  key('EnableCanaries', 'flag', 'legacy', 'No effect: protected memory always has canaries.', {
    noEffect,
    byDefault: 'false',
  }),
]

/** Keys by every name that an object or a file may use. */
export const keysByName: ReadonlyMap<string, ConfigKey> = new Map(
  configKeys.flatMap((found) => [found.name, found.camel, ...found.aliases].map((name) => [name, found] as const)),
)
