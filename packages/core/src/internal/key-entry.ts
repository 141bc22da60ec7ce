import type { KeyHandle } from '../contracts/crypto-provider.ts'
import type { KeyMeta } from '../types.ts'
import type { CacheCounters } from './counters.ts'
import type { Freshness } from './freshness.ts'

/** What is known of one key's row. An intermediate key's entry shares the status of its system key. */
export interface KeyStatus extends KeyMeta {
  /** Final once true. */
  revoked: boolean
  /** Of this exact row; the freshness of "latest" is separate. */
  readonly freshness: Freshness
}

/** An unwrapped key, alive while it is cached or referenced. */
export interface KeyEntry {
  readonly keyId: string
  readonly created: number
  readonly cacheKey: string
  readonly handle: KeyHandle
  /** As the row has it: a re-check unwraps anew only when this has changed. */
  readonly encryptedKey: Uint8Array
  readonly status: KeyStatus
  /** The status of the key that wraps this one. */
  parent: KeyStatus | undefined
  /** Set once the key writes. */
  usage: KeyUsage | undefined
  /** Operations that use the key now. */
  references: number
  /** No longer, or never, in a cache: the last reference closes the key. */
  detached: boolean
  /** Where the key counts as open; undefined once it is closed. */
  counters: CacheCounters | undefined
}

/** What a process remembers of a key, also while it is in no cache. */
export interface KeyUsage {
  /** How many data row keys it has wrapped. */
  count: number
  /** Monotonic ms of the last `expiredOnRead`. */
  notifiedAt: number
  /** While a queued rotation runs (`retryAt` is Infinity) or has failed: when the next may begin, and how many failed. */
  rotation: { readonly retryAt: number; readonly failures: number } | undefined
}

/** A key that may write: the newest one of its id, as a read of "latest" has shown it. */
export interface WriteKey {
  readonly entry: KeyEntry
  readonly usage: KeyUsage
  /** Of that read; that of the exact row is separate. */
  readonly freshness: Freshness
}

/** The time first: it has digits only, so that no id and time can be read as another id and time. */
export function cacheKeyOf(keyId: string, created: number): string {
  return `${created}|${keyId}`
}

/** Keeps the key alive until {@link releaseKey}. */
export function acquireKey(entry: KeyEntry): void {
  entry.references += 1
}

/** Gives a reference back; the last one of a detached key wipes it. */
export function releaseKey(entry: KeyEntry): void {
  entry.references -= 1
  if (entry.detached && entry.references === 0) closeKey(entry)
}

/** Takes the key out of use: it is wiped now, or when the last operation that uses it ends. */
export function detachKey(entry: KeyEntry): void {
  entry.detached = true
  if (entry.references === 0) closeKey(entry)
}

function closeKey(entry: KeyEntry): void {
  if (entry.counters !== undefined) entry.counters.open -= 1
  entry.counters = undefined
  entry.handle.close()
}
