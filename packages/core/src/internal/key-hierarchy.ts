import { WRAPPED_KEY_BYTES } from '../aes-256-gcm.ts'
import type { CacheFactory } from '../contracts/cache.ts'
import type { CryptoProvider, KeyHandle } from '../contracts/crypto-provider.ts'
import { CorruptRecordError, DecryptionError, KeyNotFoundError, KmsError, WrongPartitionError } from '../errors.ts'
import type { FactoryIds } from '../partition.ts'
import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import type { KmsCalls } from './backend-calls.ts'
import { type BlockingLoad, createBlockingLoad } from './blocking-load.ts'
import { createCacheCounters } from './counters.ts'
import { createKeyCache, type KeyCache, type KeyCacheOptions } from './key-cache.ts'
import { acquireKey, type KeyEntry, releaseKey } from './key-entry.ts'
import { createKeyLevel, type KeyLevel, type LevelContext, type LevelRules } from './key-level.ts'

/** What the hierarchy of one factory is made of. */
export interface HierarchyContext extends LevelContext {
  readonly ids: FactoryIds
  readonly crypto: CryptoProvider
  readonly kms: KmsCalls
}

/** The keys of one factory. */
export interface KeyHierarchy {
  readonly systemKeys: KeyLevel
  /** The factory's one cache of system keys. */
  readonly systemCache: KeyCache
  /** Each session has a cache of its own, or all share one. */
  readonly intermediateKeys: KeyLevel
  readonly blockingLoad: BlockingLoad
}

/** Wires the two levels: system keys under the KMS, intermediate keys under system keys. */
export function createKeyHierarchy(context: HierarchyContext): KeyHierarchy {
  const { policy, ids, crypto, kms } = context
  const level = (
    kind: 'sk' | 'ik',
    rules: Omit<LevelRules, 'kind'>,
    enabled: boolean,
    factory: CacheFactory,
    size: number,
  ): KeyLevel => {
    const counters = createCacheCounters()
    const maxSize = factory.kind === 'simple' ? Number.POSITIVE_INFINITY : size
    const createCache: KeyCacheOptions['createCache'] = enabled
      ? (onEvict) => factory.create<KeyEntry>({ maxSize, onEvict })
      : undefined
    const options = { kind, counters, createCache }
    return createKeyLevel({ ...rules, kind }, counters, () => createKeyCache(options), context)
  }
  const systemKeys = level(
    'sk',
    {
      hasParent: () => true,
      parentOf: async () => undefined,
      refreshParent: async () => {},
      async open(row, call) {
        // The provider wipes the KMS's bytes, also when it refuses them.
        return { handle: crypto.importKey(await kms.decryptKey(row, call)), parent: undefined }
      },
      async make(key, call) {
        const handle = crypto.generateKey()
        try {
          const encryptedKey = await crypto.exportKey(handle, (bytes) => kms.encryptKey(bytes, key, call))
          return { handle, encryptedKey, parent: undefined }
        } catch (error) {
          handle.close()
          throw error
        }
      },
    },
    policy.cacheSystemKeys,
    policy.systemKeyCache,
    policy.systemKeyCacheMaxSize,
  )
  const systemCache = systemKeys.createCache()

  /** The parent that an intermediate key's row names. */
  const parentMeta = (row: EnvelopeKeyRecord): KeyMeta | undefined => {
    const parent = row.parentKeyMeta
    if (parent !== undefined && !ids.isOwnSystemKey(parent.keyId)) {
      throw new WrongPartitionError(
        `intermediate key ${JSON.stringify(row.keyId)} is wrapped by ${JSON.stringify(parent.keyId)}, which is not this factory's system key`,
      )
    }
    return parent
  }

  /** The parent of a row that is to be unwrapped. @throws CorruptRecordError, WrongPartitionError */
  const checkedParent = (row: EnvelopeKeyRecord): KeyMeta => {
    const parent = parentMeta(row)
    if (parent === undefined) throw corrupt(row, 'has no ParentKeyMeta')
    if (row.encryptedKey.byteLength === WRAPPED_KEY_BYTES) return parent
    throw corrupt(row, `has a Key of ${row.encryptedKey.byteLength} bytes instead of ${WRAPPED_KEY_BYTES}`)
  }
  const unwrap = (row: EnvelopeKeyRecord, system: KeyEntry): KeyHandle => {
    try {
      return crypto.unwrapKey(row.encryptedKey, system.handle)
    } catch (cause) {
      if (!(cause instanceof DecryptionError)) throw cause
      throw new DecryptionError(
        `intermediate key ${JSON.stringify(row.keyId)} created ${row.created} was altered, or wrapped by another system key`,
        { cause },
      )
    }
  }

  const intermediateKeys = level(
    'ik',
    {
      hasParent: (row) => parentMeta(row) !== undefined,
      async parentOf(row, unwraps, call) {
        const parent = parentMeta(row)
        if (parent === undefined) return null
        try {
          if (!unwraps && !policy.cacheSystemKeys)
            return { status: await systemKeys.status(parent, call), entry: undefined }
          const entry = await systemKeys.exact(systemCache, parent, call)
          return { status: entry.status, entry }
        } catch (error) {
          if (error instanceof KeyNotFoundError) return null
          // What makes an operator revoke a key may have closed its master key too: writing must go on without it.
          if (error instanceof KmsError && (await context.metastore.load(parent, call))?.revoked === true) return null
          throw error
        }
      },
      async refreshParent(entry, call) {
        const { parent } = entry
        if (parent === undefined || context.freshness.state(parent.freshness) === 'fresh') return
        if (!policy.cacheSystemKeys) {
          // Nobody keeps the key: to ask the KMS for it each time would be for nothing.
          entry.parent = await systemKeys.status(parent, call)
          return
        }
        const system = await systemKeys.exact(systemCache, parent, call)
        entry.parent = system.status
        releaseKey(system)
      },
      async open(row, call, given) {
        const parent = checkedParent(row)
        const system = given ?? (await systemKeys.exact(systemCache, parent, call))
        try {
          return { handle: unwrap(row, system), parent: system.status }
        } finally {
          if (system !== given) releaseKey(system)
        }
      },
      async make(_key, call) {
        const cached = systemKeys.tryLatest(systemCache, ids.systemKeyId, context.clock.now())?.entry
        if (cached !== undefined) acquireKey(cached)
        const system = cached ?? (await systemKeys.latest(systemCache, ids.systemKeyId, call)).entry
        try {
          const handle = crypto.generateKey()
          try {
            return { handle, encryptedKey: crypto.wrapKey(handle, system.handle), parent: system.status }
          } catch (error) {
            handle.close()
            throw error
          }
        } finally {
          releaseKey(system)
        }
      },
    },
    policy.cacheIntermediateKeys,
    policy.intermediateKeyCache,
    policy.intermediateKeyCacheMaxSize,
  )

  const blockingLoad = createBlockingLoad({
    policy,
    freshness: context.freshness,
    crypto,
    systemKeys,
    systemCache,
    intermediateKeys,
    checkedParent,
    unwrap,
  })
  return { systemKeys, systemCache, intermediateKeys, blockingLoad }
}

function corrupt(row: EnvelopeKeyRecord, what: string): CorruptRecordError {
  return new CorruptRecordError(`the row of key ${JSON.stringify(row.keyId)} created ${row.created} ${what}`)
}
