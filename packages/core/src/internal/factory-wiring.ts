import type { CryptoProvider } from '../contracts/crypto-provider.ts'
import type { MaxKeyId, Metastore } from '../contracts/metastore.ts'
import { createCryptoPolicy } from '../crypto-policy.ts'
import { InvalidConfigError, InvalidInputError } from '../errors.ts'
import { cacheStats, type FactoryStats } from '../factory-stats.ts'
import { checkPartitionId, createFactoryIds, type PartitionIds } from '../partition.ts'
import type { SessionFactoryOptions } from '../session-factory.ts'
import { createKmsCalls, createMetastoreCalls } from './backend-calls.ts'
import { systemClock } from './clock.ts'
import { createCacheCounters } from './counters.ts'
import { createEnvelope } from './envelope.ts'
import { createFreshnessRules } from './freshness.ts'
import { createHeapSecrets } from './heap-secrets.ts'
import { createKeyHierarchy } from './key-hierarchy.ts'
import { createKeyRecovery } from './key-recovery.ts'
import { createNodeCrypto } from './node-crypto.ts'
import { createOperations, type Operations } from './operations.ts'
import { checkKnownOptions } from './options.ts'
import { DEFAULT_MAX_PLAINTEXT_BYTES } from './record-codec.ts'
import { createRotationQueue } from './rotation-queue.ts'
import { createSessionCache, type SessionLease } from './session-cache.ts'
import { createSessionCores } from './session-core.ts'
import { createUsageCounters } from './usage-counters.ts'

/** A factory's inner parts. */
export interface FactoryParts {
  readonly operations: Operations
  /** @throws InvalidInputError, ClosedError */
  lease(partitionId: string): SessionLease
  /** Whether an intermediate key stays when the session that loaded it is closed. */
  readonly keepsKeys: boolean
  stats(): FactoryStats
  /** Refuses new operations, and drops rotations that wait for their turn. */
  close(): void
  /** Takes every key out of use: those in use are wiped when their operation ends. */
  detach(): void
  /** Detaches, and closes the crypto provider that the factory made. */
  wipe(): void
}

const OPTIONS = [
  'service',
  'product',
  'metastore',
  'kms',
  'policy',
  'crypto',
  'secrets',
  'clock',
  'strictIds',
  'recoveryRegionSuffixes',
  'selfHealRecoveredKeys',
  'uniformErrors',
  'maxPlaintextBytes',
  'randomPool',
] as const satisfies readonly (keyof SessionFactoryOptions)[]

const CRYPTO_METHODS = [
  'generateKey',
  'importKey',
  'exportKey',
  'wrapKey',
  'unwrapKey',
  'encryptRow',
  'decryptRow',
  'close',
] as const satisfies readonly (keyof CryptoProvider)[]

const FLAGS = ['strictIds', 'selfHealRecoveredKeys', 'uniformErrors', 'randomPool'] as const
/** V8's longest string bounds the wire text: 4/3 of this and a little more stays below 2^29. */
const MAX_MAX_PLAINTEXT_BYTES = 2 ** 28

/** Checks the options and puts a factory together. */
export function wireFactory(given: SessionFactoryOptions): FactoryParts {
  // A copy: what the caller does to the object later has no effect.
  const options: SessionFactoryOptions = isObject(given) ? { ...given } : given
  checkOptions(options)
  const { metastore, clock = systemClock, maxPlaintextBytes = DEFAULT_MAX_PLAINTEXT_BYTES } = options
  checkMaxKeyId(metastore.maxKeyId)
  const policy = createCryptoPolicy(options.policy)
  const ids = createFactoryIds({
    service: options.service,
    product: options.product,
    regionSuffix: metastore.regionSuffix,
    recoveryRegionSuffixes: options.recoveryRegionSuffixes === undefined ? [] : options.recoveryRegionSuffixes,
    strictIds: options.strictIds ?? false,
  })
  const secrets = options.secrets ?? createHeapSecrets()
  const crypto = options.crypto ?? createNodeCrypto({ secrets, randomPool: options.randomPool ?? true })
  const operations = createOperations('session factory')
  const metastoreCalls = createMetastoreCalls(metastore)
  const usageOf = createUsageCounters()
  const rotations = createRotationQueue()
  const hierarchy = createKeyHierarchy({
    policy,
    clock,
    freshness: createFreshnessRules(policy, clock),
    metastore: metastoreCalls,
    operations,
    rotations,
    usageOf,
    ids,
    crypto,
    kms: createKmsCalls(options.kms),
  })
  const { intermediateKeys: keys, systemCache } = hierarchy
  const sharedCache = policy.sharedIntermediateKeyCache ? keys.createCache() : undefined
  const recovery =
    options.recoveryRegionSuffixes && createKeyRecovery(metastoreCalls, options.selfHealRecoveredKeys ?? false)

  const createCore = createSessionCores({
    envelope: createEnvelope({ keys, blockingLoad: hierarchy.blockingLoad, policy, clock, usageOf, recovery }),
    crypto,
    operations,
    limits: { maxPlaintextBytes },
    uniformErrors: options.uniformErrors ?? false,
  })
  const sessionCounters = createCacheCounters()
  const sessions = createSessionCache(policy, clock, sessionCounters, (partitionId) => {
    const partition = ids.partition(partitionId)
    checkKeyIdLength(partition, metastore.maxKeyId)
    return createCore(partition, sharedCache ?? keys.createCache(), sharedCache === undefined)
  })
  const detach = (): void => {
    sessions.close()
    sharedCache?.close()
    systemCache.close()
  }
  return {
    operations,
    lease(partitionId) {
      operations.check()
      checkPartitionId(partitionId)
      return sessions.lease(partitionId)
    },
    keepsKeys: policy.cacheIntermediateKeys && (policy.cacheSessions || policy.sharedIntermediateKeyCache),
    stats() {
      const systemKeys = hierarchy.systemKeys.counters
      const { waiting, running, done, failed, keys: rotating } = rotations
      return {
        openSessions: sessions.leases,
        operations: operations.active,
        openKeys: { systemKeys: systemKeys.open, intermediateKeys: keys.counters.open },
        systemKeyCache: cacheStats(systemKeys, systemKeys.size),
        intermediateKeyCache: cacheStats(keys.counters, keys.counters.size),
        sessionCache: cacheStats(sessionCounters, sessions.size),
        rotations: { keys: rotating, waiting, running, done, failed },
        lockedBytes: (options.crypto ?? options.secrets)?.stats?.().lockedBytes,
      }
    },
    close() {
      operations.close()
      rotations.close()
    },
    detach,
    wipe() {
      try {
        detach()
      } finally {
        // Also when a cache of another kind fails to close: these wipe every key that they made.
        if (options.crypto === undefined) crypto.close()
        if (options.secrets === undefined) secrets.close()
      }
    },
  }
}

function checkOptions(options: SessionFactoryOptions): void {
  if (!isObject(options)) throw new InvalidConfigError('SessionFactory takes one object of options')
  checkKnownOptions('SessionFactory', options, OPTIONS)
  checkMethods('metastore', 'Metastore', options.metastore, ['load', 'loadLatest', 'store'])
  checkMethods('kms', 'KeyManagementService', options.kms, ['encryptKey', 'decryptKey'])
  if (options.crypto !== undefined) {
    checkMethods('crypto', 'CryptoProvider', options.crypto, CRYPTO_METHODS)
    for (const other of ['secrets', 'randomPool'] as const) {
      if (options[other] !== undefined)
        throw new InvalidConfigError(`option ${other} has no effect together with option crypto`)
    }
  }
  if (options.secrets !== undefined)
    checkMethods('secrets', 'SecretFactory', options.secrets, ['fromBytes', 'createRandom', 'close'])
  if (options.clock !== undefined) checkMethods('clock', 'Clock', options.clock, ['now', 'monotonicMs'])
  for (const name of FLAGS) {
    const flag: unknown = options[name]
    if (flag !== undefined && typeof flag !== 'boolean') {
      throw new InvalidConfigError(`option ${name} is true or false, not of type ${typeof flag}`)
    }
  }
  if (options.selfHealRecoveredKeys === true && options.recoveryRegionSuffixes === undefined) {
    throw new InvalidConfigError('option selfHealRecoveredKeys needs recoveryRegionSuffixes, if only []')
  }
  const max: unknown = options.maxPlaintextBytes
  if (
    max !== undefined &&
    !(typeof max === 'number' && Number.isSafeInteger(max) && max >= 0 && max <= MAX_MAX_PLAINTEXT_BYTES)
  ) {
    throw new InvalidConfigError(`option maxPlaintextBytes is a whole number from 0 to ${MAX_MAX_PLAINTEXT_BYTES}`)
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function checkMethods(option: string, contract: string, value: unknown, methods: readonly string[]): void {
  const isPart = isObject(value)
  for (const method of methods) {
    if (isPart && typeof Reflect.get(value, method) === 'function') continue
    const found = isPart ? `lacks ${method}()` : `is ${value === undefined ? 'missing' : `of type ${typeof value}`}`
    throw new InvalidConfigError(`option ${option} must be a ${contract}; it ${found}`)
  }
}

function checkMaxKeyId(max: Metastore['maxKeyId']): void {
  if (max === undefined) return
  const isLimit =
    isObject(max) && Object.hasOwn(UNIT_NAMES, max.unit) && Number.isSafeInteger(max.length) && max.length > 0
  if (isLimit) return
  throw new InvalidConfigError(
    `the metastore's maxKeyId is { unit, length }: a unit of ${Object.keys(UNIT_NAMES).join(', ')}, and a whole number ≥ 1`,
  )
}

function checkKeyIdLength({ intermediateKeyId }: PartitionIds, max: Metastore['maxKeyId']): void {
  if (max === undefined || lengthIn(max.unit, intermediateKeyId) <= max.length) return
  throw new InvalidInputError(
    `the key id of this partition has ${lengthIn(max.unit, intermediateKeyId)} ${UNIT_NAMES[max.unit]}; ` +
      `the metastore holds at most ${max.length}: use a shorter partition id`,
  )
}

const UNIT_NAMES = { bytes: 'bytes of UTF-8', codePoints: 'characters', utf16: 'UTF-16 units' }

function lengthIn(unit: MaxKeyId['unit'], text: string): number {
  if (unit === 'bytes') return Buffer.byteLength(text)
  return unit === 'utf16' ? text.length : [...text].length
}
