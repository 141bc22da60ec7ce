import {
  AsherahError,
  type EnvelopeKeyRecord,
  type KeyManagementService,
  type KeyMeta,
  KmsError,
  type Metastore,
} from '@asherah/core'
import { isoTime } from './key-state.ts'

/**
 * The KMS, but it wraps a new system key only if it opens the one before: a key made under a wrong master key would shut
 * out every process that has the right one.
 *
 * Revoked system keys that do not open are passed over if an older one opens: so a metastore that holds a wrong key, now
 * revoked, comes back to the right KMS.
 *
 * @throws KmsError from `encryptKey`, before anything is written.
 */
export function guardSystemKeys(kms: KeyManagementService, metastore: Metastore): KeyManagementService {
  return {
    async encryptKey(key, call) {
      if (call?.key !== undefined) await checkEarlierOpens(kms, metastore, call.key)
      return kms.encryptKey(key, call)
    },
    decryptKey: (encryptedKey, call) => kms.decryptKey(encryptedKey, call),
  }
}

async function checkEarlierOpens(
  kms: KeyManagementService,
  metastore: Metastore,
  { keyId, created }: KeyMeta,
): Promise<void> {
  let refusal: KmsError | undefined
  let row = await metastore.loadLatest(keyId, { notAfter: created })
  while (row !== null) {
    try {
      await checkOpens(kms, row)
      return
    } catch (cause) {
      refusal ??= refusalOf(row, cause)
      if (!row.revoked) break
    }
    row = row.created > 1 ? await metastore.loadLatest(keyId, { notAfter: row.created - 1 }) : null
  }
  if (refusal !== undefined) throw refusal
}

async function checkOpens(
  kms: KeyManagementService,
  { keyId, created, encryptedKey, revoked }: EnvelopeKeyRecord,
): Promise<void> {
  const key = await kms.decryptKey(encryptedKey, { key: { keyId, created }, revoked })
  key.fill(0)
}

function refusalOf({ keyId, created }: EnvelopeKeyRecord, cause: unknown): KmsError {
  const reason = cause instanceof AsherahError ? `: ${cause.message}` : ''
  return new KmsError(
    `no new system key was made: the KMS does not open '${keyId}' of ${isoTime(created)}, which is there${reason}`,
    { cause },
  )
}
