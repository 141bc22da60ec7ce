import type { CryptoProvider, KeyHandle } from '../contracts/crypto-provider.ts'
import type { CryptoPolicy } from '../crypto-policy.ts'
import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import { type BlockingKeySource, checkedSource } from './backend-calls.ts'
import type { FreshnessRules } from './freshness.ts'
import type { KeyCache } from './key-cache.ts'
import { acquireKey, cacheKeyOf, type KeyEntry, type KeyStatus, releaseKey } from './key-entry.ts'
import type { KeyLevel } from './key-level.ts'

/** What {@link createBlockingLoad} is made of. */
export interface BlockingLoadContext {
  readonly policy: CryptoPolicy
  readonly freshness: FreshnessRules
  readonly crypto: CryptoProvider
  readonly systemKeys: KeyLevel
  readonly systemCache: KeyCache
  readonly intermediateKeys: KeyLevel
  /** The parent that the row of an intermediate key names. @throws WrongPartitionError, CorruptRecordError */
  checkedParent(row: EnvelopeKeyRecord): KeyMeta
  /** @throws DecryptionError */
  unwrap(row: EnvelopeKeyRecord, system: KeyEntry): KeyHandle
}

/**
 * Loads keys while the thread is blocked, by the rules of the asynchronous loads. It makes no key and reads none twice:
 * false says that the asynchronous way has to go on.
 */
export interface BlockingLoad {
  /** The key that writes. */
  latest(cache: KeyCache, keyId: string, source: BlockingKeySource): boolean
  /** The key that a record names. */
  exact(cache: KeyCache, key: KeyMeta, source: BlockingKeySource): boolean
}

/** Makes the blocking loads of one factory. */
export function createBlockingLoad(context: BlockingLoadContext): BlockingLoad {
  const { policy, freshness, crypto, systemKeys, systemCache, intermediateKeys, checkedParent, unwrap } = context
  /** Else what is loaded is gone, or old, before it can be used. */
  const keeps = policy.cacheIntermediateKeys && policy.revokeCheckIntervalMs > 0

  /** The system key with a reference, or its status where that is enough. Undefined: it is not there, or may not write. */
  const systemKey = (
    key: KeyMeta,
    needs: { readonly handle: boolean; readonly writing: boolean },
    source: BlockingKeySource,
  ): { readonly status: KeyStatus; readonly entry?: KeyEntry } | undefined => {
    const cacheKey = cacheKeyOf(key.keyId, key.created)
    const cached = systemCache.get(cacheKey)
    const isFresh = cached !== undefined && freshness.state(cached.status.freshness) === 'fresh'
    systemKeys.rows.publish(cached === undefined ? 'miss' : isFresh ? 'hit' : 'stale', key.keyId)
    if (isFresh) {
      acquireKey(cached)
      return { status: cached.status, entry: cached }
    }
    const readStart = freshness.now()
    const row = source.load(key.keyId, key.created)
    if (row === null) {
      systemCache.delete(cacheKey)
      return undefined
    }
    const known = systemKeys.rows.known(systemCache, row, readStart)
    if (known !== undefined) return { status: known.status, entry: known }
    // The master key of a revoked key may be closed: what must not write is not asked of the KMS.
    if (needs.writing && row.revoked) return undefined
    if (!needs.handle && !policy.cacheSystemKeys) {
      const { keyId, created, revoked } = row
      return { status: { keyId, created, revoked, freshness: freshness.since(readStart) } }
    }
    // The provider wipes the bytes, also when it refuses them.
    const handle = crypto.importKey(source.decryptKey(row))
    const made = { handle, parent: undefined, encryptedKey: row.encryptedKey }
    const entry = systemKeys.rows.add(systemCache, row, made, readStart)
    return { status: entry.status, entry }
  }

  /** Puts the key of a row into the cache, and runs `use` while it and its parent are held. */
  const open = (
    cache: KeyCache,
    row: EnvelopeKeyRecord,
    readStart: number,
    writing: boolean,
    source: BlockingKeySource,
    use: (entry: KeyEntry) => boolean,
  ): boolean => {
    const parent = checkedParent(row)
    let entry = intermediateKeys.rows.known(cache, row, readStart)
    try {
      if (entry !== undefined && !writing) return use(entry)
      const system = systemKey(parent, { handle: entry === undefined, writing }, source)
      if (system === undefined) return false
      try {
        if (writing && system.status.revoked) return false
        if (entry === undefined) {
          if (system.entry === undefined) return false
          const made = { handle: unwrap(row, system.entry), parent: system.status, encryptedKey: row.encryptedKey }
          entry = intermediateKeys.rows.add(cache, row, made, readStart)
        }
        entry.parent = system.status
        return use(entry)
      } finally {
        if (system.entry !== undefined) releaseKey(system.entry)
      }
    } finally {
      if (entry !== undefined) releaseKey(entry)
    }
  }

  return {
    latest(cache, keyId, given) {
      if (!keeps) return false
      const { rows } = intermediateKeys
      rows.publish(cache.latest(keyId) === undefined ? 'miss' : 'stale', keyId)
      const source = checkedSource(given)
      const readStart = freshness.now()
      const row = source.loadLatest(keyId, rows.notAfter())
      // An expired key is refused, in queued rotation too: who rotates behind needs an event loop that turns.
      if (row === null || !rows.mayBeLatest(cache, row, { inline: true })) return false
      return open(
        cache,
        row,
        readStart,
        true,
        source,
        (entry) => rows.setLatest(cache, entry, readStart, { inline: true }) !== undefined,
      )
    },
    exact(cache, key, given) {
      if (!keeps) return false
      const cacheKey = cacheKeyOf(key.keyId, key.created)
      intermediateKeys.rows.publish(cache.get(cacheKey) === undefined ? 'miss' : 'stale', key.keyId)
      const source = checkedSource(given)
      const readStart = freshness.now()
      const row = source.load(key.keyId, key.created)
      if (row !== null) return open(cache, row, readStart, false, source, () => true)
      cache.delete(cacheKey)
      return false
    },
  }
}
