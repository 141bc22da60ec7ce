import type { EnvelopeKeyRecord } from '@asherah/core/backend'

export const CREATED = 1_795_251_360
/** 2025-03-09 02:30:00 UTC: as wall time, the hour that New York's clocks skip. */
export const SPRING_GAP = 1_741_487_400
/** 2025-11-02 01:30:00 UTC: as wall time, the hour that they repeat. */
export const AUTUMN_HOUR = 1_762_047_000

export function keyOf(keyId: string, created: number = CREATED): EnvelopeKeyRecord {
  return { keyId, created, encryptedKey: new Uint8Array(60).fill(created % 251), revoked: false }
}
