import { createFactoryFromConfig } from '@asherah/config'
import { describe, expect, it } from 'vitest'
import { memoryConfig } from './config.ts'

// Every documented kind is made, with the package's own checks of its options; nothing connects before the first call.

const arn = (region: string): string => `arn:aws:kms:${region}:111122223333:key/0a1b2c3d-0000-1111-2222-333344445555`
const vault = { kms: 'vault', vaultAddr: 'https://vault.example:8200', vaultTransitKey: 'asherah' }

describe('D-125 every kind in the docs can be made', () => {
  it.each<[string, object]>([
    ['memory', {}],
    [
      'mysql',
      { metastore: 'rdbms', connectionString: 'mysql://u:p@db.example:3306/d', poolMaxOpen: 5, poolMaxLifetime: 60 },
    ],
    [
      'mysql by a Go DSN',
      {
        metastore: 'rdbms',
        connectionString: 'u:p@tcp(db.example:3306)/d?tls=true&parseTime=true',
        replicaReadConsistency: 'session',
      },
    ],
    [
      'mysql by ADO text',
      { metastore: 'rdbms', connectionString: 'Server=db.example;Database=d;Uid=u;Pwd=p', sqlMetastoreDbType: 'mysql' },
    ],
    [
      'postgres',
      { metastore: 'rdbms', connectionString: 'postgres://u:p@db.example/d', poolMaxIdle: 1, poolMaxIdleTime: 5 },
    ],
    [
      'postgres by libpq',
      {
        metastore: 'rdbms',
        connectionString: 'host=db.example user=u password=p dbname=d',
        sqlMetastoreDbType: 'postgres',
      },
    ],
    [
      'oracle',
      { metastore: 'rdbms', connectionString: 'u/p@db.example:1521/svc', sqlMetastoreDbType: 'oracle', poolMaxOpen: 3 },
    ],
    ['mssql', { metastore: 'rdbms', connectionString: 'sqlserver://u:p@db.example:1433;database=d' }],
    [
      'mssql by ADO text',
      { metastore: 'rdbms', connectionString: 'Server=db.example;Database=d;User ID=u;Password=p;' },
    ],
    [
      'mysql by an address',
      { metastore: 'rdbms', connectionString: 'u:p@tcp(192.0.2.1:3306)/d?timeout=1m30s', tlsServerName: 'db.example' },
    ],
    [
      'postgres by an address',
      {
        metastore: 'rdbms',
        connectionString: 'postgres://u:p@192.0.2.1/d?sslmode=require',
        tlsServerName: 'db.example',
      },
    ],
    [
      'mssql by an address',
      {
        metastore: 'rdbms',
        connectionString: 'sqlserver://u:p@192.0.2.1:1433;database=d',
        tlsServerName: 'db.example',
      },
    ],
    [
      'dynamodb',
      { metastore: 'dynamodb', dynamoDbRegion: 'us-west-2', enableRegionSuffix: true, dynamoDbTableName: 'Keys' },
    ],
    [
      'aws',
      {
        kms: 'aws',
        regionMap: { 'us-west-2': arn('us-west-2'), 'us-east-1': arn('us-east-1') },
        preferredRegion: 'us-west-2',
      },
    ],
    ['aws with one key', { kms: 'aws', kmsKeyId: arn('us-west-2') }],
    [
      'secrets-manager',
      { kms: 'secrets-manager', secretsManagerSecretId: 'asherah/master', dynamoDbRegion: 'us-west-2' },
    ],
    ['vault with a token', { ...vault, vaultToken: 't' }],
    [
      'vault with AppRole',
      {
        ...vault,
        kms: 'vault-transit',
        vaultAuthMethod: 'approle',
        vaultApproleRoleId: 'r',
        vaultApproleSecretId: 's',
      },
    ],
    ['vault with Kubernetes', { ...vault, vaultAuthMethod: 'k8s', vaultAuthRole: 'r' }],
  ])('%s', async (_, keys) => {
    const camel = {
      serviceName: memoryConfig.ServiceName,
      productId: memoryConfig.ProductID,
      metastore: 'memory',
      kms: 'static',
      ...keys,
    }
    const config = { ...camel, ...(camel.kms === 'static' && { staticMasterKeyHex: memoryConfig.StaticMasterKeyHex }) }
    await using made = await createFactoryFromConfig(config, { load: (name) => import(name) })
    expect(made.factory.getSession('p').partitionId).toBe('p')
    expect(made.metastore.regionSuffix).toBe(config.metastore === 'dynamodb' ? 'us-west-2' : undefined)
  })
})
