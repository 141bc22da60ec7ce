import { channels } from '@asherah/core/backend'
import { type SecureMemoryEvent, secureMemoryChannel } from '../diagnostics.ts'
import { type SecureMemoryStats, snapshot } from '../stats.ts'
import { Counters, countAllGone, countGone, countMade } from './counters.ts'
import type { RegionUser } from './region-pool.ts'
import { lockLimit } from './system.ts'

/** A factory's name, counters and voice: what its regions and secrets are counted under. */
export class Owner implements RegionUser {
  readonly kind: 'protected' | 'enclave'
  readonly allowUnlocked: boolean
  readonly counters: Counters = new Counters()
  /** As of the factory's start: reading it costs more than an event. */
  readonly #lockLimitBytes: number | undefined = lockLimit()?.soft

  constructor(kind: 'protected' | 'enclave', allowUnlocked: boolean) {
    this.kind = kind
    this.allowUnlocked = allowUnlocked
  }

  stats(): SecureMemoryStats {
    return snapshot(this.counters, lockLimit()?.soft)
  }

  publish(event: SecureMemoryEvent['event']): void {
    if (!secureMemoryChannel.hasSubscribers) return
    secureMemoryChannel.publish({ event, kind: this.kind, stats: snapshot(this.counters, this.#lockLimitBytes) })
  }

  warn(code: string, message: string): void {
    if (channels.warning.hasSubscribers) channels.warning.publish({ code, message })
  }

  secretMade(length: number, ordinary: boolean): void {
    countMade(this.counters, length, ordinary)
    this.publish('created')
  }

  secretGone(length: number, ordinary: boolean): void {
    countGone(this.counters, length, ordinary)
    this.publish('closed')
  }

  allSecretsGone(): void {
    countAllGone(this.counters)
  }

  /** A secret was dropped without `close()`, and its memory has been given back. */
  secretDropped(): void {
    this.warn('SECRET_NOT_CLOSED', `a secret of ${this.kind} memory was dropped without close()`)
  }
}
