import { channel } from 'node:diagnostics_channel'
import type { EventChannel } from '@asherah/core/backend'
import type { SecureMemoryStats } from './stats.ts'

/** On `asherah:secure-memory`. */
export interface SecureMemoryEvent {
  /**
   * - `created`, `closed`: a secret.
   * - `lockLimit`: a further part of an enclave's encrypted secrets is in ordinary memory.
   * - `unlocked`: page sets are used that could not be locked (`allowUnlocked`).
   * - `purged`: `purge` or an exit handler wiped every secret of a factory.
   */
  readonly event: 'created' | 'closed' | 'lockLimit' | 'unlocked' | 'purged'
  readonly kind: 'protected' | 'enclave'
  /** Of the factory, after the event. */
  readonly stats: SecureMemoryStats
}

/** The diagnostics channel `asherah:secure-memory`. Without a subscriber nothing is made for it. */
export const secureMemoryChannel: EventChannel<SecureMemoryEvent> = eventChannel('asherah:secure-memory')

function eventChannel(name: string): EventChannel<SecureMemoryEvent> {
  return channel(name)
}
