import type { Call } from '../contracts/call.ts'
import type { Clock } from '../contracts/clock.ts'
import type { CryptoProvider, KeyHandle, RowMeta } from '../contracts/crypto-provider.ts'
import type { CryptoPolicy } from '../crypto-policy.ts'
import { channels } from '../diagnostics.ts'
import { DecryptionError, KeyNotFoundError, WrongPartitionError } from '../errors.ts'
import type { PartitionIds } from '../partition.ts'
import type { KeyMeta } from '../types.ts'
import { cacheKeyOf, type KeyEntry, type KeyStatus, type KeyUsage, releaseKey, type WriteKey } from './key-entry.ts'
import type { KeyLevel } from './key-level.ts'
import type { KeyRecovery } from './key-recovery.ts'

/** What the envelope of one partition is made of. */
export interface EnvelopeContext {
  readonly ids: PartitionIds
  readonly keys: KeyLevel
  readonly policy: CryptoPolicy
  readonly clock: Clock
  /** What the factory remembers of a key. */
  usageOf(cacheKey: string): KeyUsage
  /** Undefined: a missing key is missing. */
  readonly recovery: KeyRecovery | undefined
}

/** How a row is written: with a key that is held while the function runs. */
export type SealRow<T> = (intermediateKey: KeyHandle, plaintext: Uint8Array, meta: RowMeta) => T
/** How a row is read: with a key that is held while the function runs. */
export type OpenRow = (intermediateKey: KeyHandle) => Uint8Array

/** The DRK → IK → SK algorithm for one partition. The `try` forms answer in this tick or say that I/O is needed. */
export interface Envelope {
  trySeal<T>(plaintext: Uint8Array, seal: SealRow<T>, rows?: number): T | undefined
  /** @param rows How many rows `seal` writes; default 1. */
  seal<T>(plaintext: Uint8Array, seal: SealRow<T>, call: Call, rows?: number): Promise<Awaited<T>>
  /** @throws WrongPartitionError before anything is loaded. */
  checkPartition(parentKeyId: string): void
  tryOpen(parentKeyId: string, parentCreated: number, open: OpenRow): Uint8Array | undefined
  open(parent: KeyMeta, open: OpenRow, call: Call): Promise<Uint8Array>
}

/** Makes the envelope of one partition. */
export function createEnvelope(context: EnvelopeContext): Envelope {
  const { ids, keys, policy, clock, recovery } = context
  const keyId = ids.intermediateKeyId
  /** Kept between rows: the parent's name is the same object for each row under one key. */
  let lastParent: KeyMeta = { keyId, created: 0 }

  const sealWith = <T>(
    { entry, usage }: WriteKey,
    plaintext: Uint8Array,
    seal: SealRow<T>,
    rows: number,
    now: number,
  ): T => {
    usage.count += rows
    if (lastParent.created !== entry.created) lastParent = Object.freeze({ keyId, created: entry.created })
    const created = Math.max(1, Math.floor(now / 1_000))
    return seal(entry.handle, plaintext, { created, parentKeyMeta: lastParent })
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
    trySeal(plaintext, seal, rows = 1) {
      const now = clock.now()
      const key = keys.tryLatest(keyId, now)
      return key === undefined ? undefined : sealWith(key, plaintext, seal, rows, now)
    },
    async seal<T>(plaintext: Uint8Array, seal: SealRow<T>, call: Call, rows = 1): Promise<Awaited<T>> {
      for (;;) {
        const key = await keys.latest(keyId, call)
        try {
          // Of many that waited for one key the first may have used it up, and it ages. No turn is without a new key.
          if (keys.mayWrite(key)) return await sealWith(key, plaintext, seal, rows, clock.now())
        } finally {
          releaseKey(key.entry)
        }
      }
    },
    checkPartition(parentKeyId) {
      if (ids.isOwnIntermediateKey(parentKeyId)) return
      throw new WrongPartitionError(
        `the record belongs to key ${JSON.stringify(parentKeyId)}, which is not a key of partition ${JSON.stringify(ids.partitionId)}`,
      )
    },
    tryOpen(parentKeyId, parentCreated, open) {
      const entry = keys.tryExact(parentKeyId, parentCreated)
      return entry === undefined ? undefined : openWith(entry, open)
    },
    async open(parent, open, call) {
      let entry: KeyEntry
      try {
        entry = await keys.exact(parent, call)
      } catch (error) {
        const isMissing = error instanceof KeyNotFoundError && error.keyId === parent.keyId
        if (!isMissing || recovery === undefined) throw error
        return await recovery.open(parent, ids, keys, (found) => openWith(found, open), error, call)
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
