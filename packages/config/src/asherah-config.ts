// Made by packages/config/scripts/generate.ts from key-table.ts: edit that.

/** A config: each key in PascalCase or in camelCase. Durations are in seconds; null is absent. */
export interface AsherahConfig {
  /** The service: part of every key id. Default: required. */
  readonly ServiceName?: string | null | undefined
  /** As {@link AsherahConfig.ServiceName}. */
  readonly serviceName?: string | null | undefined
  /** The product: part of every key id. Default: required. */
  readonly ProductID?: string | null | undefined
  /** As {@link AsherahConfig.ProductID}. */
  readonly productId?: string | null | undefined
  /** A key older than this writes no more. Default: 90 days. */
  readonly ExpireAfter?: number | null | undefined
  /** As {@link AsherahConfig.ExpireAfter}. */
  readonly expireAfter?: number | null | undefined
  /** How long a key is used before its row is read again: how soon a revocation is noticed. Default: 60 minutes. */
  readonly CheckInterval?: number | null | undefined
  /** As {@link AsherahConfig.CheckInterval}. */
  readonly checkInterval?: number | null | undefined
  /** New keys’ creation time is cut to this. Default: 1 minute. */
  readonly CreateDatePrecision?: number | null | undefined
  /** As {@link AsherahConfig.CreateDatePrecision}. */
  readonly createDatePrecision?: number | null | undefined
  /** `inline`: the encrypt that finds a key expired makes the new one. `queued`: a rotation runs behind. Default: inline. */
  readonly RotationStrategy?: 'inline' | 'queued' | (string & {}) | null | undefined
  /** As {@link AsherahConfig.RotationStrategy}. */
  readonly rotationStrategy?: 'inline' | 'queued' | (string & {}) | null | undefined
  /** Tell when an expired key decrypts. Default: false. */
  readonly NotifyExpiredKeyOnRead?: boolean | null | undefined
  /** As {@link AsherahConfig.NotifyExpiredKeyOnRead}. */
  readonly notifyExpiredKeyOnRead?: boolean | null | undefined
  /** The log hook gets debug messages too. Default: false. */
  readonly Verbose?: boolean | null | undefined
  /** As {@link AsherahConfig.Verbose}. */
  readonly verbose?: boolean | null | undefined
  /** Where wrapped keys are kept. Default: required. */
  readonly Metastore?:
    | 'memory'
    | 'sqlite'
    | 'rdbms'
    | 'dynamodb'
    | 'test-debug-memory'
    | 'test-debug-sqlite'
    | (string & {})
    | null
    | undefined
  /** As {@link AsherahConfig.Metastore}. */
  readonly metastore?:
    | 'memory'
    | 'sqlite'
    | 'rdbms'
    | 'dynamodb'
    | 'test-debug-memory'
    | 'test-debug-sqlite'
    | (string & {})
    | null
    | undefined
  /** The database of `rdbms`, or the file of `sqlite`. Default: required for rdbms and sqlite. */
  readonly ConnectionString?: string | null | undefined
  /** As {@link AsherahConfig.ConnectionString}. */
  readonly connectionString?: string | null | undefined
  /** The database, where the connection string does not say. Default: from the connection string. */
  readonly SQLMetastoreDBType?:
    | 'mysql'
    | 'postgres'
    | 'postgresql'
    | 'mssql'
    | 'sqlserver'
    | 'oracle'
    | 'sqlite'
    | (string & {})
    | null
    | undefined
  /** As {@link AsherahConfig.SQLMetastoreDBType}. */
  readonly sqlMetastoreDbType?:
    | 'mysql'
    | 'postgres'
    | 'postgresql'
    | 'mssql'
    | 'sqlserver'
    | 'oracle'
    | 'sqlite'
    | (string & {})
    | null
    | undefined
  /** @deprecated Use sqlMetastoreDbType. */
  readonly sqlMetastoreDBType?:
    | 'mysql'
    | 'postgres'
    | 'postgresql'
    | 'mssql'
    | 'sqlserver'
    | 'oracle'
    | 'sqlite'
    | (string & {})
    | null
    | undefined
  /** Aurora: what a read of a replica waits for. Default: none. */
  readonly ReplicaReadConsistency?: 'eventual' | 'global' | 'session' | (string & {}) | null | undefined
  /** As {@link AsherahConfig.ReplicaReadConsistency}. */
  readonly replicaReadConsistency?: 'eventual' | 'global' | 'session' | (string & {}) | null | undefined
  /** MySQL, PostgreSQL, SQL Server: the name in the server’s certificate, where the host is another name or an IP address. With it, TLS is on and verified, also to a local host. Default: the host. */
  readonly TlsServerName?: string | null | undefined
  /** As {@link AsherahConfig.TlsServerName}. */
  readonly tlsServerName?: string | null | undefined
  /** Connections at most. Default: the backend’s. */
  readonly PoolMaxOpen?: number | null | undefined
  /** As {@link AsherahConfig.PoolMaxOpen}. */
  readonly poolMaxOpen?: number | null | undefined
  /** Idle connections that are kept. Default: the backend’s. */
  readonly PoolMaxIdle?: number | null | undefined
  /** As {@link AsherahConfig.PoolMaxIdle}. */
  readonly poolMaxIdle?: number | null | undefined
  /** A connection older than this is closed. Default: no limit. */
  readonly PoolMaxLifetime?: number | null | undefined
  /** As {@link AsherahConfig.PoolMaxLifetime}. */
  readonly poolMaxLifetime?: number | null | undefined
  /** A connection idle for longer is closed. Default: the backend’s. */
  readonly PoolMaxIdleTime?: number | null | undefined
  /** As {@link AsherahConfig.PoolMaxIdleTime}. */
  readonly poolMaxIdleTime?: number | null | undefined
  /** Another endpoint than the region’s. Default: none. */
  readonly DynamoDBEndpoint?: string | null | undefined
  /** As {@link AsherahConfig.DynamoDBEndpoint}. */
  readonly dynamoDbEndpoint?: string | null | undefined
  /** @deprecated Use dynamoDbEndpoint. */
  readonly dynamoDBEndpoint?: string | null | undefined
  /** The region of the table; also of a single KMS key. Default: the AWS SDK’s. */
  readonly DynamoDBRegion?: string | null | undefined
  /** As {@link AsherahConfig.DynamoDBRegion}. */
  readonly dynamoDbRegion?: string | null | undefined
  /** @deprecated Use dynamoDbRegion. */
  readonly dynamoDBRegion?: string | null | undefined
  /** The region that requests to the endpoint are signed for. Default: DynamoDBRegion. */
  readonly DynamoDBSigningRegion?: string | null | undefined
  /** As {@link AsherahConfig.DynamoDBSigningRegion}. */
  readonly dynamoDbSigningRegion?: string | null | undefined
  /** @deprecated Use dynamoDbSigningRegion. */
  readonly dynamoDBSigningRegion?: string | null | undefined
  /** The table. Default: EncryptionKey. */
  readonly DynamoDBTableName?: string | null | undefined
  /** As {@link AsherahConfig.DynamoDBTableName}. */
  readonly dynamoDbTableName?: string | null | undefined
  /** @deprecated Use dynamoDbTableName. */
  readonly dynamoDBTableName?: string | null | undefined
  /** End every key id in the region, as global tables need. Default: false. */
  readonly EnableRegionSuffix?: boolean | null | undefined
  /** As {@link AsherahConfig.EnableRegionSuffix}. */
  readonly enableRegionSuffix?: boolean | null | undefined
  /** End every key id in this text, with any metastore. Default: none. */
  readonly RegionSuffix?: string | null | undefined
  /** As {@link AsherahConfig.RegionSuffix}. */
  readonly regionSuffix?: string | null | undefined
  /** Other regions, whose records are read too. Default: none. */
  readonly RecoveryRegionSuffixes?: readonly string[] | null | undefined
  /** As {@link AsherahConfig.RecoveryRegionSuffixes}. */
  readonly recoveryRegionSuffixes?: readonly string[] | null | undefined
  /** Copy a key found in another region to where a record looks for it. Default: false. */
  readonly SelfHealRecoveredKeys?: boolean | null | undefined
  /** As {@link AsherahConfig.SelfHealRecoveredKeys}. */
  readonly selfHealRecoveredKeys?: boolean | null | undefined
  /** What wraps system keys. There is no default. Default: required. */
  readonly KMS?:
    | 'aws'
    | 'static'
    | 'secrets-manager'
    | 'vault'
    | 'vault-transit'
    | 'test-debug-static'
    | (string & {})
    | null
    | undefined
  /** As {@link AsherahConfig.KMS}. */
  readonly kms?:
    | 'aws'
    | 'static'
    | 'secrets-manager'
    | 'vault'
    | 'vault-transit'
    | 'test-debug-static'
    | (string & {})
    | null
    | undefined
  /** The master key of `static`: 64 hex digits. Default: required for static. */
  readonly StaticMasterKeyHex?: string | null | undefined
  /** As {@link AsherahConfig.StaticMasterKeyHex}. */
  readonly staticMasterKeyHex?: string | null | undefined
  /** Let `test-debug-static` run where NODE_ENV is production. Default: false. */
  readonly AllowInsecureTestKms?: boolean | null | undefined
  /** As {@link AsherahConfig.AllowInsecureTestKms}. */
  readonly allowInsecureTestKms?: boolean | null | undefined
  /** KMS key ARNs by region. Default: this or KmsKeyId for aws. */
  readonly RegionMap?: Readonly<Record<string, string>> | string | null | undefined
  /** As {@link AsherahConfig.RegionMap}. */
  readonly regionMap?: Readonly<Record<string, string>> | string | null | undefined
  /** The region that is asked first; one of RegionMap. Default: required with several regions. */
  readonly PreferredRegion?: string | null | undefined
  /** As {@link AsherahConfig.PreferredRegion}. */
  readonly preferredRegion?: string | null | undefined
  /** One KMS key, instead of RegionMap. Default: none. */
  readonly KmsKeyId?: string | null | undefined
  /** As {@link AsherahConfig.KmsKeyId}. */
  readonly kmsKeyId?: string | null | undefined
  /** A profile of the AWS config files. Default: the AWS SDK’s. */
  readonly AwsProfileName?: string | null | undefined
  /** As {@link AsherahConfig.AwsProfileName}. */
  readonly awsProfileName?: string | null | undefined
  /** The secret that holds the master key of `secrets-manager`. Default: none. */
  readonly SecretsManagerSecretId?: string | null | undefined
  /** As {@link AsherahConfig.SecretsManagerSecretId}. */
  readonly secretsManagerSecretId?: string | null | undefined
  /** The address of Vault. Default: none. */
  readonly VaultAddr?: string | null | undefined
  /** As {@link AsherahConfig.VaultAddr}. */
  readonly vaultAddr?: string | null | undefined
  /** The transit key. Default: none. */
  readonly VaultTransitKey?: string | null | undefined
  /** As {@link AsherahConfig.VaultTransitKey}. */
  readonly vaultTransitKey?: string | null | undefined
  /** Where the transit engine is mounted. Default: transit. */
  readonly VaultTransitMount?: string | null | undefined
  /** As {@link AsherahConfig.VaultTransitMount}. */
  readonly vaultTransitMount?: string | null | undefined
  /** The namespace, where Vault has several. Default: none. */
  readonly VaultNamespace?: string | null | undefined
  /** As {@link AsherahConfig.VaultNamespace}. */
  readonly vaultNamespace?: string | null | undefined
  /** A token; not together with VaultAuthMethod. Default: none. */
  readonly VaultToken?: string | null | undefined
  /** As {@link AsherahConfig.VaultToken}. */
  readonly vaultToken?: string | null | undefined
  /** How to log in. Default: the token. */
  readonly VaultAuthMethod?: 'kubernetes' | 'k8s' | 'approle' | 'cert' | 'tls' | (string & {}) | null | undefined
  /** As {@link AsherahConfig.VaultAuthMethod}. */
  readonly vaultAuthMethod?: 'kubernetes' | 'k8s' | 'approle' | 'cert' | 'tls' | (string & {}) | null | undefined
  /** The role of the login. Default: none. */
  readonly VaultAuthRole?: string | null | undefined
  /** As {@link AsherahConfig.VaultAuthRole}. */
  readonly vaultAuthRole?: string | null | undefined
  /** Where the auth method is mounted. Default: the method’s name. */
  readonly VaultAuthMount?: string | null | undefined
  /** As {@link AsherahConfig.VaultAuthMount}. */
  readonly vaultAuthMount?: string | null | undefined
  /** AppRole: the role id. Default: none. */
  readonly VaultApproleRoleId?: string | null | undefined
  /** As {@link AsherahConfig.VaultApproleRoleId}. */
  readonly vaultApproleRoleId?: string | null | undefined
  /** AppRole: the secret id. Default: none. */
  readonly VaultApproleSecretId?: string | null | undefined
  /** As {@link AsherahConfig.VaultApproleSecretId}. */
  readonly vaultApproleSecretId?: string | null | undefined
  /** TLS login: the certificate in PEM, or its file. Default: none. */
  readonly VaultClientCert?: string | null | undefined
  /** As {@link AsherahConfig.VaultClientCert}. */
  readonly vaultClientCert?: string | null | undefined
  /** TLS login: the private key in PEM, or its file. Default: none. */
  readonly VaultClientKey?: string | null | undefined
  /** As {@link AsherahConfig.VaultClientKey}. */
  readonly vaultClientKey?: string | null | undefined
  /** Kubernetes: the file of the service account’s token. Default: the pod’s. */
  readonly VaultK8sTokenPath?: string | null | undefined
  /** As {@link AsherahConfig.VaultK8sTokenPath}. */
  readonly vaultK8sTokenPath?: string | null | undefined
  /** Keep the sessions of partitions. Default: true. */
  readonly EnableSessionCaching?: boolean | null | undefined
  /** As {@link AsherahConfig.EnableSessionCaching}. */
  readonly enableSessionCaching?: boolean | null | undefined
  /** Sessions that are kept at most. Default: 1000. */
  readonly SessionCacheMaxSize?: number | null | undefined
  /** As {@link AsherahConfig.SessionCacheMaxSize}. */
  readonly sessionCacheMaxSize?: number | null | undefined
  /** A session that nobody used for this long is dropped. Default: 2 hours. */
  readonly SessionCacheDuration?: number | null | undefined
  /** As {@link AsherahConfig.SessionCacheDuration}. */
  readonly sessionCacheDuration?: number | null | undefined
  /** Keep system keys in memory. Default: true. */
  readonly CacheSystemKeys?: boolean | null | undefined
  /** As {@link AsherahConfig.CacheSystemKeys}. */
  readonly cacheSystemKeys?: boolean | null | undefined
  /** Keep intermediate keys in memory. Default: true. */
  readonly CacheIntermediateKeys?: boolean | null | undefined
  /** As {@link AsherahConfig.CacheIntermediateKeys}. */
  readonly cacheIntermediateKeys?: boolean | null | undefined
  /** One cache of intermediate keys for all partitions. Default: false. */
  readonly SharedIntermediateKeyCache?: boolean | null | undefined
  /** As {@link AsherahConfig.SharedIntermediateKeyCache}. */
  readonly sharedIntermediateKeyCache?: boolean | null | undefined
  /** Intermediate keys that are kept, in each cache. Default: 1000. */
  readonly IntermediateKeyCacheMaxSize?: number | null | undefined
  /** As {@link AsherahConfig.IntermediateKeyCacheMaxSize}. */
  readonly intermediateKeyCacheMaxSize?: number | null | undefined
  /** Record the layout at the first start, and refuse another one later. Default: false. */
  readonly EnableConfigDriftGuard?: boolean | null | undefined
  /** As {@link AsherahConfig.EnableConfigDriftGuard}. */
  readonly enableConfigDriftGuard?: boolean | null | undefined
  /** Start with another layout than the recorded one. Default: false. */
  readonly ConfigDriftForceRun?: boolean | null | undefined
  /** As {@link AsherahConfig.ConfigDriftForceRun}. */
  readonly configDriftForceRun?: boolean | null | undefined
  /** @deprecated Use configDriftForceRun. */
  readonly ForceRunWithConfigDrift?: boolean | null | undefined
  /** @deprecated Use configDriftForceRun. */
  readonly forceRunWithConfigDrift?: boolean | null | undefined
  /** Record this layout instead of the old one. Default: false. */
  readonly ConfigDriftForceUpdate?: boolean | null | undefined
  /** As {@link AsherahConfig.ConfigDriftForceUpdate}. */
  readonly configDriftForceUpdate?: boolean | null | undefined
  /** @deprecated Use configDriftForceUpdate. */
  readonly ForceUpdateConfigDriftGuard?: boolean | null | undefined
  /** @deprecated Use configDriftForceUpdate. */
  readonly forceUpdateConfigDriftGuard?: boolean | null | undefined
  /** No effect: input is always encrypted as it was at the call. Default: false. */
  readonly DisableZeroCopy?: boolean | null | undefined
  /** As {@link AsherahConfig.DisableZeroCopy}. */
  readonly disableZeroCopy?: boolean | null | undefined
  /** No effect. Default: false. */
  readonly NullDataCheck?: boolean | null | undefined
  /** As {@link AsherahConfig.NullDataCheck}. */
  readonly nullDataCheck?: boolean | null | undefined
  /** No effect: protected memory always has canaries. Default: false. */
  readonly EnableCanaries?: boolean | null | undefined
  /** As {@link AsherahConfig.EnableCanaries}. */
  readonly enableCanaries?: boolean | null | undefined
}
