import type { Call } from '../contracts/call.ts'
import { channels } from '../diagnostics.ts'
import { CorruptRecordError, DecryptionError, KeyNotFoundError, WrongPartitionError } from '../errors.ts'
import type { PartitionIds } from '../partition.ts'
import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import type { MetastoreCalls } from './backend-calls.ts'
import type { KeyCache } from './key-cache.ts'
import { type KeyEntry, releaseKey } from './key-entry.ts'
import type { KeyLevel } from './key-level.ts'

/** Looks for a missing intermediate key under the other ids that the factory was told of. */
export interface KeyRecovery {
  /**
   * Tries the same partition and `created` under the bare id and each listed suffix; the id that the record names is never a
   * candidate. A key counts as found only if the record then authenticates.
   *
   * @throws `missing` when there is none.
   */
  open(
    named: KeyMeta,
    ids: PartitionIds,
    keys: KeyLevel,
    cache: KeyCache,
    open: (found: KeyEntry) => Uint8Array,
    missing: KeyNotFoundError,
    call: Call,
  ): Promise<Uint8Array>
}

/** @param selfHeal Copy a found row to the id that the record names, if no row is there. */
export function createKeyRecovery(metastore: MetastoreCalls, selfHeal: boolean): KeyRecovery {
  const heal = async (named: KeyMeta, found: KeyEntry, call: Call): Promise<void> => {
    const parent = found.parent
    if (parent === undefined) return
    // The time is the found row's own: the record's field is not authenticated, and a tampered one must not make a key.
    const row: EnvelopeKeyRecord = {
      keyId: named.keyId,
      created: found.created,
      encryptedKey: found.encryptedKey,
      revoked: found.status.revoked,
      parentKeyMeta: { keyId: parent.keyId, created: parent.created },
    }
    try {
      if (!(await metastore.store(row, call)) || !channels.key.hasSubscribers) return
      channels.key.publish({ event: 'healed', keyId: row.keyId, created: row.created })
    } catch (cause) {
      // The read has succeeded; that it cannot be made cheaper is an operator's matter.
      channels.warning.publish({
        code: 'SELF_HEAL_FAILED',
        message: `could not copy a row to ${JSON.stringify(row.keyId)}`,
        cause,
      })
    }
  }

  return {
    async open(named, ids, keys, cache, open, missing, call) {
      for (const keyId of ids.allIntermediateKeyIds()) {
        if (keyId === named.keyId) continue
        const found = await candidate(keys, cache, { keyId, created: named.created }, call)
        if (found === undefined) continue
        try {
          const plaintext = open(found)
          if (channels.key.hasSubscribers) channels.key.publish({ event: 'recovered', keyId, created: found.created })
          if (selfHeal) await heal(named, found, call)
          return plaintext
        } catch (error) {
          if (!(error instanceof DecryptionError)) throw error
        } finally {
          releaseKey(found)
        }
      }
      throw missing
    },
  }
}

const NO_CANDIDATE = [KeyNotFoundError, WrongPartitionError, DecryptionError, CorruptRecordError]

/** A key that is missing, foreign or damaged is no candidate; a store or KMS that fails is a failure. */
async function candidate(keys: KeyLevel, cache: KeyCache, key: KeyMeta, call: Call): Promise<KeyEntry | undefined> {
  try {
    return await keys.exact(cache, key, { ...call, mayBeMissing: true })
  } catch (error) {
    if (NO_CANDIDATE.some((kind) => error instanceof kind)) return undefined
    throw error
  }
}
