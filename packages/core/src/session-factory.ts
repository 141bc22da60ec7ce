import type { Clock } from './contracts/clock.ts'
import type { CryptoProvider } from './contracts/crypto-provider.ts'
import type { KeyManagementService } from './contracts/key-management-service.ts'
import type { Metastore } from './contracts/metastore.ts'
import type { SecretFactory } from './contracts/secret.ts'
import type { CryptoPolicyOptions } from './crypto-policy.ts'
import { channels } from './diagnostics.ts'
import { ClosedError, InvalidConfigError } from './errors.ts'
import type { FactoryStats } from './factory-stats.ts'
import { type FactoryParts, wireFactory } from './internal/factory-wiring.ts'
import { checkKnownOptions } from './internal/options.ts'
import type { SessionLease } from './internal/session-cache.ts'
import { createSession, type Session } from './session.ts'
import {
  bytesPayload,
  bytesRecord,
  type JsonValue,
  jsonPayload,
  jsonRecord,
  type TypedSession,
  typedSession,
} from './typed-session.ts'
import type { DataRowRecordJson } from './types.ts'
import { type WarmOptions, type WarmOutcome, warmPartitions } from './warm.ts'

/** What a {@link SessionFactory} is made of. */
export interface SessionFactoryOptions {
  /** Names the service; part of every key id. */
  readonly service: string
  /** Names the product; part of every key id. */
  readonly product: string
  /** Where wrapped keys are kept. The caller's: the factory never closes it. */
  readonly metastore: Metastore
  /** What wraps system keys. The caller's. */
  readonly kms: KeyManagementService
  /** How keys age and are cached; each option has a default. */
  readonly policy?: CryptoPolicyOptions
  /** What touches key bytes. The caller's. Default: node:crypto over `secrets`. */
  readonly crypto?: CryptoProvider
  /** Where core's own crypto keeps keys; not together with `crypto`. The caller's. Default: the heap, wiped on close. */
  readonly secrets?: SecretFactory
  /** Default: the system's clocks. */
  readonly clock?: Clock
  /** Refuse `_` in service, product and suffixes, so that no two factories of a metastore share an id. Default false. */
  readonly strictIds?: boolean
  /** Suffixes of other regions, whose records are read too; given, even as `[]`, missing keys are looked for. Default: none. */
  readonly recoveryRegionSuffixes?: readonly string[]
  /** Copy a key found in another region to where the record looks for it. Default false: a read never writes. */
  readonly selfHealRecoveredKeys?: boolean
  /** Wrong partition, missing key and failed tag are one error with one message; the detail goes to `asherah:warning`. Default false. */
  readonly uniformErrors?: boolean
  /** The longest payload, in bytes. Default 64 MiB. */
  readonly maxPlaintextBytes?: number
  /** Draw random bytes 4 KiB at a time; not together with `crypto`. Default true. */
  readonly randomPool?: boolean
}

/** Options of {@link SessionFactory.close}. */
export interface CloseOptions {
  /** How long to wait for operations in flight, in ms. Default 30,000. */
  readonly timeoutMs?: number
}

const DEFAULT_CLOSE_TIMEOUT_MS = 30_000
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/**
 * Makes sessions for the partitions of one service and product. Make one for the process, and close it at the end.
 *
 * @example
 * ```ts
 * const factory = new SessionFactory({ service: 'billing', product: 'shop', metastore, kms })
 * const session = factory.getSession('shopper-123')
 * const record = await session.encrypt(new TextEncoder().encode('4111 1111'))
 * const again = await session.decrypt(JSON.stringify(record))
 * session.close()
 * await factory.close()
 * ```
 */
export class SessionFactory implements AsyncDisposable {
  readonly #parts: FactoryParts
  /** Gives back what a session held that was dropped without `close`. */
  readonly #dropped: FinalizationRegistry<SessionLease>
  readonly #forget: (session: Session) => void
  #closing: Promise<void> | undefined

  /** @throws InvalidConfigError for an unknown, missing or bad option. */
  constructor(options: SessionFactoryOptions) {
    this.#parts = wireFactory(options)
    this.#dropped = new FinalizationRegistry((lease) => {
      lease.release()
      if (!channels.warning.hasSubscribers) return
      channels.warning.publish({ code: 'SESSION_NOT_CLOSED', message: 'a session was dropped without close()' })
    })
    this.#forget = (session) => this.#dropped.unregister(session)
  }

  /**
   * A session for one partition: a tenant, a user, whatever must not read another's records.
   *
   * @param partitionId Taken verbatim: no normalization, no case folding. At most 4,096 bytes of UTF-8, or what the metastore allows.
   * @throws InvalidInputError, ClosedError
   */
  getSession(partitionId: string): Session {
    const lease = this.#parts.lease(partitionId)
    const session = createSession(lease, this.#forget)
    this.#dropped.register(session, lease, session)
    return session
  }

  /** A session of bytes, whose records are the wire text's bytes. */
  getSessionBytes(partitionId: string): TypedSession<Uint8Array, Uint8Array> {
    return typedSession(this.getSession(partitionId), bytesPayload, bytesRecord)
  }

  /** A session of JSON values, whose records are the wire text's bytes. */
  getSessionJson(partitionId: string): TypedSession<JsonValue, Uint8Array> {
    return typedSession(this.getSession(partitionId), jsonPayload, bytesRecord)
  }

  /** A session of bytes, whose records are objects in wire form. */
  getSessionBytesAsJson(partitionId: string): TypedSession<Uint8Array, DataRowRecordJson> {
    return typedSession(this.getSession(partitionId), bytesPayload, jsonRecord)
  }

  /** A session of JSON values, whose records are objects in wire form. */
  getSessionJsonAsJson(partitionId: string): TypedSession<JsonValue, DataRowRecordJson> {
    return typedSession(this.getSession(partitionId), jsonPayload, jsonRecord)
  }

  /**
   * Loads the keys with which these partitions write next, before somebody waits for them: what the first encrypt of each
   * would do, a new key included. More partitions than the caches hold push the first ones out again.
   *
   * @returns How it went for each, in the order given. After an abort the rest have an `AbortedError`.
   * @throws InvalidConfigError for bad options, and when the policy keeps no keys between sessions; ClosedError.
   * @example
   * ```ts
   * const outcomes = await factory.warm(['shopper-123', 'shopper-124'], { concurrency: 8 })
   * for (const outcome of outcomes) if (!outcome.ok) console.warn(outcome.partitionId, outcome.error.code)
   * ```
   */
  warm(partitionIds: Iterable<string>, options: WarmOptions = {}): Promise<WarmOutcome[]> {
    return warmPartitions(this.#parts, partitionIds, options)
  }

  /** What the factory has in hand now: plain counters, cheap to ask for as often as one likes; also after `close`. */
  stats(): FactoryStats {
    return this.#parts.stats()
  }

  /**
   * Refuses new calls at once, waits for those in flight, then wipes every key; idempotent. The metastore, the KMS and a
   * `crypto` or `secrets` that was given stay open.
   *
   * @throws ClosedError at the deadline, with the count of what still runs: its keys are wiped as it ends.
   */
  close(options: CloseOptions = {}): Promise<void> {
    try {
      const timeoutMs = timeoutOf(options)
      this.#closing ??= this.#close(timeoutMs)
      return this.#closing
    } catch (error) {
      return Promise.reject(error)
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(timeoutMs: number): Promise<void> {
    const { operations, wipe } = this.#parts
    this.#parts.close()
    const idle = operations.idle().then(wipe)
    let timer: NodeJS.Timeout | undefined
    const deadline = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), timeoutMs)
    })
    const first = await Promise.race([idle, deadline])
    clearTimeout(timer)
    if (first !== 'late') return
    // Nobody waits for the wipe any more: its failure must not end the process.
    idle.catch((cause: unknown) => {
      if (!channels.warning.hasSubscribers) return
      channels.warning.publish({ code: 'WIPE_FAILED', message: 'a cache failed to close after the deadline', cause })
    })
    const count = operations.active
    this.#parts.detach()
    throw new ClosedError(
      `the session factory is closed, but ${count} operation${count === 1 ? '' : 's'} still ran after ${timeoutMs} ms: ` +
        'each key is wiped when its operation ends',
    )
  }
}

/** In ms, as far as a timer can count. */
function timeoutOf(options: CloseOptions): number {
  checkKnownOptions('close', options, ['timeoutMs'])
  const { timeoutMs = DEFAULT_CLOSE_TIMEOUT_MS } = options
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
    throw new InvalidConfigError('close option timeoutMs is a number of ms ≥ 0, or Infinity')
  }
  return Math.min(timeoutMs, MAX_TIMEOUT_MS)
}
