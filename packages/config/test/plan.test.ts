import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { planOf, readConfigObject } from '@asherah/config'
import { describe, expect, it } from 'vitest'

const HEX = '0f'.repeat(16) + 'a1'.repeat(16)
const base = { ServiceName: 's', ProductID: 'p' }
const aws = { KMS: 'aws', RegionMap: { 'us-west-2': 'arn:w', 'us-east-1': 'arn:e' }, PreferredRegion: 'us-west-2' }
const withKms = { ...base, KMS: 'static', StaticMasterKeyHex: HEX }
const inMemory = { ...base, Metastore: 'memory' }
const vault = { ...inMemory, KMS: 'vault', VaultAddr: 'http://v', VaultTransitKey: 'k' }

const plan = (config: object, env: Record<string, string> = {}) => planOf(readConfigObject(config, env))

describe('planOf refuses', () => {
  it.each([
    [{ ...inMemory, ProductID: null, KMS: 'static' }, 'ProductID is missing'],
    [{ ...base, KMS: 'test-debug-static' }, 'Metastore is missing, and there is no default; it is one of memory, '],
    [inMemory, 'KMS is missing, and there is no default; it is one of aws, '],
    [{ ...inMemory, KMS: 'static' }, 'StaticMasterKeyHex is missing'],
    [{ ...inMemory, KMS: 'aws' }, 'RegionMap is missing'],
    [{ ...inMemory, ...aws, PreferredRegion: null }, 'PreferredRegion is missing'],
    [{ ...inMemory, ...aws, PreferredRegion: 'eu-west-1' }, 'PreferredRegion is not a region of RegionMap'],
    [{ ...inMemory, ...aws, KmsKeyId: 'k' }, 'not both'],
    [{ ...inMemory, KMS: 'secrets-manager' }, 'SecretsManagerSecretId is missing'],
    [{ ...inMemory, KMS: 'vault' }, 'VaultAddr is missing'],
    [{ ...vault }, 'VaultToken is missing'],
    [{ ...vault, VaultToken: 't', VaultAuthMethod: 'approle' }, 'not both'],
    [{ ...vault, VaultAuthMethod: 'approle' }, 'VaultApproleRoleId is missing'],
    [{ ...vault, VaultAuthMethod: 'k8s' }, 'VaultAuthRole is missing'],
    [{ ...vault, VaultAuthMethod: 'tls' }, 'VaultClientCert is missing'],
    [{ ...withKms, Metastore: 'rdbms' }, 'ConnectionString is missing'],
    [{ ...withKms, Metastore: 'sqlite' }, 'ConnectionString is missing'],
    [{ ...withKms, Metastore: 'sqlite', ConnectionString: 'postgres://h/d' }, 'use rdbms'],
    [{ ...withKms, Metastore: 'memory', EnableRegionSuffix: true }, 'give RegionSuffix'],
  ])('D-069 D-046 %j: %s', (config, message) => {
    expect(() => plan(config)).toThrow(message)
  })

  it('D-068 a consistency that is none of the three', () => {
    const config = { ...withKms, Metastore: 'rdbms', ConnectionString: 'mysql://h/d' }
    expect(() => plan({ ...config, ReplicaReadConsistency: "eventual'; drop table" })).toThrow('one of eventual')
  })
})

describe('planOf', () => {
  it('D-040 takes the static key from the environment where the config has none', () => {
    const config = { ...inMemory, KMS: 'static' }
    expect(plan(config, { STATIC_MASTER_KEY_HEX: HEX }).kms.options).toEqual({ masterKeyHex: HEX })
    const other = 'b2'.repeat(32)
    expect(plan({ ...config, StaticMasterKeyHex: other }, { STATIC_MASTER_KEY_HEX: HEX }).kms.options).toEqual({
      masterKeyHex: other,
    })
  })

  it('D-039 D-125 gives Vault what the config says, not what the environment says', () => {
    const env = { VAULT_TOKEN: 'of-env', VAULT_AUTH_METHOD: 'cert' }
    expect(plan({ ...vault, VaultToken: 'of-config' }, env).kms.options.auth).toEqual({
      method: 'token',
      token: 'of-config',
    })
    const approle = { ...vault, VaultAuthMethod: 'approle', VaultApproleRoleId: 'r', VaultApproleSecretId: 'x' }
    expect(plan(approle, env).kms.options.auth).toEqual({ method: 'approle', roleId: 'r', secretId: 'x' })
  })

  it('reads the PEM files of a Vault login, and names the key whose file cannot be read', () => {
    const folder = mkdtempSync(join(tmpdir(), 'asherah-pem-'))
    const cert = join(folder, 'cert.pem')
    const key = '-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----'
    writeFileSync(cert, 'a certificate')
    const login = { ...vault, VaultAuthMethod: 'cert', VaultClientCert: cert, VaultClientKey: key }
    expect(plan(login).kms.options.auth).toEqual({ method: 'cert', cert: 'a certificate', key })
    expect(JSON.stringify(readConfigObject(login, {}))).not.toContain('hunter2')
    expect(() => plan({ ...login, VaultClientCert: join(folder, 'none.pem') })).toThrow('VaultClientCert is the path')
    rmSync(folder, { recursive: true })
  })

  it('D-045 takes the one region of a map as the preferred one, every time', () => {
    for (let i = 0; i < 50; i++) {
      expect(plan({ ...inMemory, KMS: 'aws', RegionMap: { 'us-west-2': 'arn:w' } }).kms.options).toEqual({
        regionMap: { 'us-west-2': 'arn:w' },
        preferredRegion: 'us-west-2',
      })
    }
  })

  it('D-042 takes durations as seconds', () => {
    const { policy } = plan({
      ...withKms,
      Metastore: 'memory',
      ExpireAfter: 7_776_000,
      CheckInterval: 60,
      SessionCacheDuration: 5,
    })
    expect(policy).toMatchObject({
      expireAfterMs: 7_776_000_000,
      revokeCheckIntervalMs: 60_000,
      sessionCacheTtlMs: 5_000,
    })
  })

  it('D-043 says once which keys have no effect', () => {
    const config = {
      ...withKms,
      Metastore: 'memory',
      EnableCanaries: true,
      NullDataCheck: false,
      DynamoDBTableName: 't',
      VaultToken: 'v',
    }
    expect(plan(config, { VAULT_ADDR: 'http://v' }).warnings).toEqual([
      'DynamoDBTableName has no effect with Metastore memory and KMS static',
      'VaultToken has no effect with Metastore memory and KMS static',
      'EnableCanaries has no effect: protected memory always has canaries.',
    ])
  })

  it('D-066 hands the SQL servers with TLS the name in their certificate', () => {
    const rdbms = (ConnectionString: string) =>
      plan({ ...withKms, Metastore: 'rdbms', ConnectionString, tlsServerName: 'db.example' })
    for (const text of [
      'u:p@tcp(192.0.2.1:3306)/d?tls=true',
      'postgres://u:p@192.0.2.1/d',
      'mssql://u:p@192.0.2.1/d',
    ]) {
      const { metastore, warnings } = rdbms(text)
      expect(metastore.options.tls).toEqual({ serverName: 'db.example' })
      expect(warnings).toEqual([])
    }
    const fromEnv = plan(
      { ...withKms, Metastore: 'rdbms', ConnectionString: 'mysql://u:p@192.0.2.1/d' },
      { ASHERAH_TLS_SERVER_NAME: 'of-env.example' },
    )
    expect(fromEnv.metastore.options.tls).toEqual({ serverName: 'of-env.example' })
    const oracle = rdbms('oracle://u:p@192.0.2.1/s')
    expect(oracle.metastore.options).not.toHaveProperty('tls')
    expect(oracle.warnings).toEqual(['TlsServerName has no effect with Metastore rdbms and KMS static'])
  })

  it('hands DynamoDB its region, table and suffix', () => {
    const config = {
      ...withKms,
      Metastore: 'DynamoDB',
      dynamoDBRegion: 'us-west-2',
      dynamoDbTableName: 't',
      EnableRegionSuffix: true,
    }
    expect(plan(config).metastore).toMatchObject({
      package: '@asherah/metastore-dynamodb',
      options: { region: 'us-west-2', tableName: 't', regionSuffix: true },
    })
  })
})
