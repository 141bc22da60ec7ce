import { createHash } from 'node:crypto'
import type { EnvelopeKeyRecord } from '@asherah/core/backend'

/** 2026-11-21 08:56:00 UTC. */
export const CREATED = 1_795_251_360

/** A row whose key bytes follow from its id, `created` and writer: what one process wrote, another can verify. */
export function systemKey(keyId = '_SK_service_product', created: number = CREATED, writer = ''): EnvelopeKeyRecord {
  const hash = createHash('sha512').update(`${keyId} ${created} ${writer}`).digest()
  return { keyId, created, encryptedKey: new Uint8Array(hash.subarray(0, 60)), revoked: false }
}
