import { type CryptoPolicyOptions, createCryptoPolicy, InvalidConfigError } from '@asherah/core'
import { configKeys } from './key-table.ts'
import { kmsPlan } from './kms-plan.ts'
import { type BackendPlan, metastorePlan } from './metastore-plan.ts'
import type { Settings } from './settings.ts'
import { withoutUndefined } from './without-undefined.ts'

/** What a config leads to, before anything is loaded or connected. */
export interface Plan {
  readonly service: string
  readonly product: string
  readonly policy: CryptoPolicyOptions
  readonly metastore: BackendPlan
  readonly kms: BackendPlan
  readonly recoveryRegionSuffixes: readonly string[] | undefined
  readonly selfHealRecoveredKeys: boolean
  readonly sessionCaching: boolean
  readonly verbose: boolean
  readonly driftGuard: boolean
  readonly driftForce: 'none' | 'run' | 'update'
  /** One line for each key that is given and has no effect. */
  readonly warnings: readonly string[]
}

/** Checks what keys say together. @throws InvalidConfigError */
export function planOf(settings: Settings): Plan {
  const service = required(settings, 'ServiceName')
  const product = required(settings, 'ProductID')
  required(settings, 'Metastore')
  required(settings, 'KMS')
  const metastore = metastorePlan(settings)
  const kms = kmsPlan(settings)
  const policy = policyOf(settings)
  createCryptoPolicy(policy)
  const force = settings.flag('ConfigDriftForceUpdate') === true ? 'update' : 'run'
  const forced = settings.flag('ConfigDriftForceRun') === true || force === 'update'
  return {
    service,
    product,
    policy,
    metastore,
    kms,
    recoveryRegionSuffixes: settings.list('RecoveryRegionSuffixes'),
    selfHealRecoveredKeys: settings.flag('SelfHealRecoveredKeys') ?? false,
    sessionCaching: settings.flag('EnableSessionCaching') ?? true,
    verbose: settings.flag('Verbose') ?? false,
    driftGuard: settings.flag('EnableConfigDriftGuard') ?? false,
    driftForce: forced ? force : 'none',
    warnings: warningsOf(settings, [...metastore.uses, ...kms.uses]),
  }
}

/** @throws InvalidConfigError */
function required(settings: Settings, name: string): string {
  const value = settings.text(name)
  if (value !== undefined) return value
  const key = configKeys.find((one) => one.name === name)
  const allowed = key?.choices.length === 0 ? '' : `; it is one of ${key?.choices.join(', ')}`
  throw new InvalidConfigError(`${name} is missing, and there is no default${allowed}`)
}

function policyOf(settings: Settings): CryptoPolicyOptions {
  const ms = (name: string): number | undefined => {
    const seconds = settings.number(name)
    return seconds === undefined ? undefined : seconds * 1_000
  }
  const rotation = settings.text('RotationStrategy')
  const options = {
    expireAfterMs: ms('ExpireAfter'),
    revokeCheckIntervalMs: ms('CheckInterval'),
    createDatePrecisionMs: ms('CreateDatePrecision'),
    sessionCacheTtlMs: ms('SessionCacheDuration'),
    sessionCacheMaxSize: settings.number('SessionCacheMaxSize'),
    cacheSystemKeys: settings.flag('CacheSystemKeys'),
    cacheIntermediateKeys: settings.flag('CacheIntermediateKeys'),
    sharedIntermediateKeyCache: settings.flag('SharedIntermediateKeyCache'),
    intermediateKeyCacheMaxSize: settings.number('IntermediateKeyCacheMaxSize'),
    notifyExpiredKeyOnRead: settings.flag('NotifyExpiredKeyOnRead'),
    rotation: rotation === 'queued' ? ('queued' as const) : ('inline' as const),
  }
  return withoutUndefined(options)
}

/** Groups whose keys are of one backend or another. */
const OF_BACKENDS: readonly string[] = ['metastore', 'sql', 'dynamodb', 'kms', 'aws', 'vault']
/** Keys of those groups that every backend obeys. */
const OF_ALL: readonly string[] = [
  'Metastore',
  'KMS',
  'RecoveryRegionSuffixes',
  'SelfHealRecoveredKeys',
  'AllowInsecureTestKms',
]

function warningsOf(settings: Settings, used: readonly string[]): string[] {
  return configKeys.flatMap((key) => {
    if (settings.origin(key.name) !== 'config') return []
    if (key.noEffect)
      return settings.flag(key.name) === true
        ? [`${key.name} has no effect: ${key.about.replace(/^No effect:? ?/, '') || 'it had none in the old packages'}`]
        : []
    if (!OF_BACKENDS.includes(key.group) || OF_ALL.includes(key.name) || used.includes(key.name)) return []
    if (settings.flag(key.name) === false) return []
    return [`${key.name} has no effect with Metastore ${settings.text('Metastore')} and KMS ${settings.text('KMS')}`]
  })
}
