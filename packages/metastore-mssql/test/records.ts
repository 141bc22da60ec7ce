import { randomBytes, randomUUID } from 'node:crypto'
import type { EnvelopeKeyRecord } from '@asherah/core/backend'

/** 2026-11-21 08:56:00 UTC. */
export const CREATED = 1_795_251_360

/** A row that no other test has. */
export function freshRow(created: number = CREATED, keyId = `_IK_${randomUUID()}_service_product`): EnvelopeKeyRecord {
  const parentKeyMeta = { keyId: '_SK_service_product', created: CREATED - 60 }
  return { keyId, created, encryptedKey: new Uint8Array(randomBytes(60)), revoked: false, parentKeyMeta }
}
