import { readFileSync } from 'node:fs'
import { InvalidConfigError } from '@asherah/core'
import type { BackendPlan } from './metastore-plan.ts'
import type { Settings } from './settings.ts'
import { withoutUndefined } from './without-undefined.ts'

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
    options: withoutUndefined({
      address,
      transitKey: key,
      transitMount: settings.text('VaultTransitMount'),
      namespace: settings.text('VaultNamespace'),
      auth: vaultAuth(settings),
    }),
    uses: [
      'VaultAddr',
      'VaultTransitKey',
      'VaultTransitMount',
      'VaultNamespace',
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
        secretId: needed(settings, 'VaultApproleSecretId', method),
      })
    case 'cert':
    case 'tls':
      return withoutUndefined({
        method: 'cert',
        mount,
        role,
        cert: pemOf(settings, 'VaultClientCert', method),
        key: pemOf(settings, 'VaultClientKey', method),
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

/** A PEM text, or the text of the file that is named. */
function pemOf(settings: Settings, name: string, method: string): string {
  const value = needed(settings, name, method)
  if (value.startsWith('-----BEGIN ')) return value
  try {
    return readFileSync(value, 'utf8')
  } catch (cause) {
    throw new InvalidConfigError(`${name} is the path of a PEM file that can be read, or its text`, { cause })
  }
}
