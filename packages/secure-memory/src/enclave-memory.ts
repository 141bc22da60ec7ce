import { ClosedError, checkKnownOptions, InvalidConfigError, type SecretFactory } from '@asherah/core/backend'
import { checkSecretBytes, checkSecretLength } from './internal/actions.ts'
import { EnclaveSecret } from './internal/enclave-secret.ts'
import { EnclaveStore, type SealedSecret, type StoreHome, type StoreOptions } from './internal/enclave-store.ts'
import { Owner } from './internal/owner.ts'
import { joinPool, leavePool } from './internal/region-pool.ts'
import { registerFactory } from './internal/registry.ts'
import type { SecureMemoryStats } from './stats.ts'

/** Options of {@link createEnclaveMemory}. */
export interface EnclaveMemoryOptions {
  /**
   * What becomes of a further secret when no more memory can be locked. `encrypt` (default): its encrypted form goes to
   * ordinary memory, and the key to it stays locked. `throw`: it is refused with `SecureMemoryError`.
   */
  readonly onLockLimit?: 'encrypt' | 'throw'
  /**
   * Go on when not even the coffer's page can be locked: it may then be swapped out. Guard pages, encryption at rest and
   * the exclusion from core dumps stay. Default false. Reported as `stats().unlockedBytes`, by the event `unlocked` and
   * by the warning `MEMORY_NOT_LOCKED`. Only with `onLockLimit: 'encrypt'`.
   */
  readonly allowUnlocked?: boolean
  /**
   * Let an action write into the locked copy that it sees: only the copy changes, and it is wiped as ever. It saves two
   * system calls a use. Default false: the copy is read-only, and a write ends the process.
   */
  readonly writableViews?: boolean
  /** The coffer's halves change after so many uses; default 4,096, 1 to 2^31. */
  readonly rekeyAfterUses?: number
  /** … and at the first use after so many milliseconds; default 500, 1 to 2^31. There is no timer. */
  readonly rekeyAfterMs?: number
}

/** A {@link SecretFactory} with encryption at rest. */
export interface EnclaveMemory extends SecretFactory {
  /** Counters of this factory. */
  stats(): SecureMemoryStats
  /** As `close`. */
  [Symbol.dispose](): void
}

interface Settings extends StoreOptions {
  readonly allowUnlocked: boolean
}

/**
 * Secrets that are encrypted while idle, under a key in a locked page: any number of keys in few locked pages.
 *
 * A secret is decrypted for each action into locked, read-only pages with nothing else in them, which are wiped when the
 * action returns. Its encrypted form is in locked pages, too, as far as the lock limit goes. See `Coffer` for the key.
 *
 * @throws InvalidConfigError for an unknown or bad option.
 * @throws SecureMemoryError when the coffer's page cannot be locked and `allowUnlocked` is not set, or sodium-native has
 *   no binary for this system. The methods throw it under `onLockLimit: 'throw'`, and when actions run inside one another
 *   so deeply that no more pages can be locked for them.
 * @example
 * const secrets = createEnclaveMemory()
 * const factory = new SessionFactory({ service, product, metastore, kms, secrets })
 */
export function createEnclaveMemory(options: EnclaveMemoryOptions = {}): EnclaveMemory {
  const vault = new EnclaveVault(checkOptions(options))
  joinPool()
  const unregister = registerFactory(vault)
  const close = (): void => {
    if (!vault.close()) return
    unregister()
    leavePool()
  }
  return {
    fromBytes(bytes) {
      checkSecretBytes(bytes)
      try {
        return vault.make(bytes.byteLength, (store) => store.seal(bytes))
      } finally {
        bytes.fill(0)
      }
    },
    createRandom: (length) => vault.make(length, (store) => store.sealRandom(length)),
    stats: () => vault.stats(),
    close,
    [Symbol.dispose]: close,
  }
}

/** A factory's store; `purge` wipes it, and the next secret begins another. */
class EnclaveVault implements StoreHome {
  readonly #settings: Settings
  readonly owner: Owner
  #store: EnclaveStore | undefined
  #closed = false

  constructor(settings: Settings) {
    this.#settings = settings
    this.owner = new Owner('enclave', settings.allowUnlocked)
    this.#store = this.#newStore()
  }

  make(length: number, seal: (store: EnclaveStore) => SealedSecret): EnclaveSecret {
    if (this.#closed) throw new ClosedError('the secret factory is closed')
    checkSecretLength(length)
    this.#store ??= this.#newStore()
    return new EnclaveSecret(seal(this.#store))
  }

  stats(): SecureMemoryStats {
    return this.owner.stats()
  }

  purge(): void {
    this.#store?.close(true)
    this.#store = undefined
    this.owner.publish('purged')
  }

  /** False: it was closed before. */
  close(): boolean {
    if (this.#closed) return false
    this.#closed = true
    this.#store?.close(false)
    this.#store = undefined
    return true
  }

  #newStore(): EnclaveStore {
    const store = new EnclaveStore(this, this.#settings)
    if (this.owner.counters.unlockedBytes > 0) {
      this.owner.publish('unlocked')
      this.owner.warn('MEMORY_NOT_LOCKED', 'the coffer of enclave memory is not locked: it may be swapped out')
    }
    return store
  }
}

const KNOWN = ['onLockLimit', 'allowUnlocked', 'writableViews', 'rekeyAfterUses', 'rekeyAfterMs'] as const
const MOST = 2 ** 31

function checkOptions(options: EnclaveMemoryOptions): Settings {
  checkKnownOptions('createEnclaveMemory', options, KNOWN)
  const { onLockLimit = 'encrypt', allowUnlocked = false, writableViews = false } = options
  const { rekeyAfterUses = 4_096, rekeyAfterMs = 500 } = options
  if (onLockLimit !== 'encrypt' && onLockLimit !== 'throw') {
    throw new InvalidConfigError("onLockLimit must be 'encrypt' or 'throw'")
  }
  for (const [name, value] of Object.entries({ allowUnlocked, writableViews })) {
    if (typeof value !== 'boolean') throw new InvalidConfigError(`${name} must be true or false`)
  }
  if (allowUnlocked && onLockLimit === 'throw') {
    throw new InvalidConfigError("allowUnlocked contradicts onLockLimit: 'throw'")
  }
  for (const [name, value] of Object.entries({ rekeyAfterUses, rekeyAfterMs })) {
    if (!Number.isSafeInteger(value) || value < 1 || value > MOST) {
      throw new InvalidConfigError(`${name} must be a whole number from 1 to ${MOST}`)
    }
  }
  return { onLockLimit, allowUnlocked, writableViews, rekeyAfterUses, rekeyAfterMs }
}
