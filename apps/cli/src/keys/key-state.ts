import type { EnvelopeKeyRecord, KeyMeta } from '@asherah/core'

/** What a key may still do: a valid one encrypts, every one decrypts. */
export type KeyState = 'valid' | 'expired' | 'revoked'

/** One key, without any bytes of it. */
export interface KeyInfo {
  readonly id: string
  readonly kind: 'system' | 'intermediate'
  /** ISO 8601, UTC. */
  readonly created: string
  readonly createdUnix: number
  readonly ageSeconds: number
  /** ISO 8601, UTC. */
  readonly expires: string
  /** The key's own state. */
  readonly state: KeyState
  /** The key that wraps this one; null for a system key. `missing`: its row is not there, so nothing can be read. */
  readonly parent: { readonly id: string; readonly created: string; readonly state: KeyState | 'missing' } | null
  /** How many intermediate keys a system key wraps. Null for an intermediate key: no metastore knows how often one was used. */
  readonly uses: number | null
}

/** What {@link describeKey} takes. */
export interface DescribeKeyOptions {
  /** Unix milliseconds. */
  readonly now: number
  readonly expireAfterMs: number
  /** Finds the state of a system key. */
  parentState(parent: KeyMeta): KeyState | 'missing'
  readonly uses: number | null
}

/** What may be shown of a metastore row. */
export function describeKey(record: EnvelopeKeyRecord, options: DescribeKeyOptions): KeyInfo {
  const { keyId, created, parentKeyMeta: parent } = record
  const { now, expireAfterMs } = options
  return {
    id: keyId,
    kind: parent === undefined ? 'system' : 'intermediate',
    created: isoTime(created),
    createdUnix: created,
    ageSeconds: Math.max(0, Math.floor(now / 1000) - created),
    expires: isoTime(created + expireAfterMs / 1000),
    state: keyState(record, now, expireAfterMs),
    parent:
      parent === undefined
        ? null
        : { id: parent.keyId, created: isoTime(parent.created), state: options.parentState(parent) },
    uses: options.uses,
  }
}

/** @param now Unix milliseconds. */
export function keyState(record: EnvelopeKeyRecord, now: number, expireAfterMs: number): KeyState {
  if (record.revoked) return 'revoked'
  return now > record.created * 1000 + expireAfterMs ? 'expired' : 'valid'
}

/** `expired`; for a key that is itself valid but whose parent is not, `expired (parent)`. */
export function effectiveState(key: KeyInfo): string {
  const parent = key.parent?.state ?? 'valid'
  return key.state === 'valid' && parent !== 'valid' ? `${parent} (parent)` : key.state
}

/** `45s`, `12m`, `5h`, `91d` */
export function formatAge(seconds: number): string {
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`
}

/** `2026-11-21T11:39:00Z`. @param seconds Unix seconds. */
export function isoTime(seconds: number): string {
  const date = new Date(seconds * 1000)
  // A row from another program may be dated beyond what Date can tell.
  return Number.isNaN(date.getTime()) ? `@${seconds}` : date.toISOString().replace('.000Z', 'Z')
}
