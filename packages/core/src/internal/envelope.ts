import type { Call } from '../contracts/call.ts'
import type { Clock } from '../contracts/clock.ts'
import type { CryptoProvider, KeyHandle, RowMeta } from '../contracts/crypto-provider.ts'
import type { CryptoPolicy } from '../crypto-policy.ts'
import { channels } from '../diagnostics.ts'
import { DecryptionError, KeyNotFoundError, WrongPartitionError } from '../errors.ts'
import type { PartitionIds } from '../partition.ts'
import type { KeyMeta } from '../types.ts'
import type { BlockingKeySource } from './backend-calls.ts'
import type { BlockingLoad } from './blocking-load.ts'
import type { KeyCache } from './key-cache.ts'
import { cacheKeyOf, type KeyEntry, type KeyStatus, type KeyUsage, releaseKey, type WriteKey } from './key-entry.ts'
import type { KeyLevel } from './key-level.ts'
import type { KeyRecovery } from './key-recovery.ts'

/** What the envelope of a factory is made of. */
export interface EnvelopeContext {
  readonly keys: KeyLevel
  readonly blockingLoad: BlockingLoad
  readonly policy: CryptoPolicy
  readonly clock: Clock
  /** What the factory remembers of a key. */
  usageOf(cacheKey: string): KeyUsage
  /** Undefined: a missing key is missing. */
  readonly recovery: KeyRecovery | undefined
}

/** A partition as the envelope knows it. */
export interface Partition {
  readonly ids: PartitionIds
  /** Its intermediate keys: a session's own, or the factory's. */
  readonly keyCache: KeyCache
  /** Kept between rows: the parent's name is the same object for each row under one key. */
  lastParent: KeyMeta | undefined
}

/** How a row is written: with a key that is held while the function runs. */
export type SealRow<T> = (intermediateKey: KeyHandle, plaintext: Uint8Array, meta: RowMeta) => T
/** How a row is read: with a key that is held while the function runs. */
export type OpenRow = (intermediateKey: KeyHandle) => Uint8Array

/** The DRK → IK → SK algorithm. The `try` forms answer in this tick or say that I/O is needed. */
export interface Envelope {
  trySeal<T>(partition: Partition, plaintext: Uint8Array, seal: SealRow<T>, rows?: number): T | undefined
  /** @param rows How many rows `seal` writes; default 1. */
  seal<T>(partition: Partition, plaintext: Uint8Array, seal: SealRow<T>, call: Call, rows?: number): Promise<Awaited<T>>
  /** Loads the key that writes, or makes one, and caches it. */
  warm(partition: Partition, call: Call): Promise<void>
  /** Loads the key that writes, or the one that a record names, in this tick. False: that needs the forms with a promise. */
  loadNow(partition: Partition, parent: KeyMeta | undefined, source: BlockingKeySource): boolean
  /** @throws WrongPartitionError before anything is loaded. */
  checkPartition(partition: Partition, parentKeyId: string): void
  tryOpen(partition: Partition, parentKeyId: string, parentCreated: number, open: OpenRow): Uint8Array | undefined
  open(partition: Partition, parent: KeyMeta, open: OpenRow, call: Call): Promise<Uint8Array>
}

/** Makes the envelope of a factory. */
export function createEnvelope(context: EnvelopeContext): Envelope {
  const { keys, blockingLoad, policy, clock, recovery } = context

  const sealWith = <T>(
    partition: Partition,
    { entry, usage }: WriteKey,
    plaintext: Uint8Array,
    seal: SealRow<T>,
    rows: number,
    now: number,
  ): T => {
    usage.count += rows
    let parentKeyMeta = partition.lastParent
    if (parentKeyMeta?.created !== entry.created) {
      parentKeyMeta = Object.freeze({ keyId: partition.ids.intermediateKeyId, created: entry.created })
      partition.lastParent = parentKeyMeta
    }
    const created = Math.max(1, Math.floor(now / 1_000))
    return seal(entry.handle, plaintext, { created, parentKeyMeta })
  }

  const openWith = (entry: KeyEntry, open: OpenRow): Uint8Array => {
    const plaintext = open(entry.handle)
    if (policy.notifyExpiredKeyOnRead) {
      notifyIfExpired(entry.status)
      if (entry.parent !== undefined) notifyIfExpired(entry.parent)
    }
    return plaintext
  }

  /** One event for each key and interval. */
  const notifyIfExpired = (status: KeyStatus): void => {
    const ageMs = clock.now() - status.created * 1_000
    if (ageMs <= policy.expireAfterMs || !channels.key.hasSubscribers) return
    const now = clock.monotonicMs()
    const usage = context.usageOf(cacheKeyOf(status.keyId, status.created))
    if (now - usage.notifiedAt < policy.revokeCheckIntervalMs) return
    usage.notifiedAt = now
    channels.key.publish({ event: 'expiredOnRead', keyId: status.keyId, created: status.created, ageMs })
  }

  return {
    trySeal(partition, plaintext, seal, rows = 1) {
      const now = clock.now()
      const key = keys.tryLatest(partition.keyCache, partition.ids.intermediateKeyId, now)
      return key === undefined ? undefined : sealWith(partition, key, plaintext, seal, rows, now)
    },
    async seal<T>(
      partition: Partition,
      plaintext: Uint8Array,
      seal: SealRow<T>,
      call: Call,
      rows = 1,
    ): Promise<Awaited<T>> {
      for (let reads = 1; ; reads += 1) {
        const key = await keys.latest(partition.keyCache, partition.ids.intermediateKeyId, call)
        try {
          // A store or a machine that slept longer than the interval brings old news: it is asked once more. No more often,
          // since an interval of 0 makes all news old.
          const isOld = reads === 1 && policy.revokeCheckIntervalMs > 0 && keys.isStale(key)
          // Of many that waited for one key the first may have used it up, and it ages. No turn is without a new key.
          if (!isOld && keys.mayWrite(key)) return await sealWith(partition, key, plaintext, seal, rows, clock.now())
        } finally {
          releaseKey(key.entry)
        }
      }
    },
    async warm({ ids, keyCache }, call) {
      releaseKey((await keys.latest(keyCache, ids.intermediateKeyId, call)).entry)
    },
    loadNow({ ids, keyCache }, parent, source) {
      return parent === undefined
        ? blockingLoad.latest(keyCache, ids.intermediateKeyId, source)
        : blockingLoad.exact(keyCache, parent, source)
    },
    checkPartition({ ids }, parentKeyId) {
      if (ids.isOwnIntermediateKey(parentKeyId)) return
      throw new WrongPartitionError(
        `the record belongs to key ${JSON.stringify(parentKeyId)}, which is not a key of partition ${JSON.stringify(ids.partitionId)}`,
      )
    },
    tryOpen({ keyCache }, parentKeyId, parentCreated, open) {
      const entry = keys.tryExact(keyCache, parentKeyId, parentCreated)
      return entry === undefined ? undefined : openWith(entry, open)
    },
    async open({ ids, keyCache }, parent, open, call) {
      let entry: KeyEntry
      try {
        entry = await keys.exact(keyCache, parent, call)
      } catch (error) {
        const isMissing = error instanceof KeyNotFoundError && error.keyId === parent.keyId
        if (!isMissing || recovery === undefined) throw error
        return await recovery.open(parent, ids, keys, keyCache, (found) => openWith(found, open), error, call)
      }
      try {
        return openWith(entry, open)
      } finally {
        releaseKey(entry)
      }
    },
  }
}

/** Names what did not authenticate: the provider cannot know. */
export function openRow(
  crypto: CryptoProvider,
  key: KeyHandle,
  encryptedKey: Uint8Array,
  data: Uint8Array,
): Uint8Array {
  try {
    return crypto.decryptRow(key, encryptedKey, data)
  } catch (cause) {
    if (!(cause instanceof DecryptionError)) throw cause
    throw new DecryptionError('the record was altered, or its parts belong to different records', { cause })
  }
}
