import {
  ClosedError,
  checkKnownOptions,
  InvalidConfigError,
  type SecretFactory,
  SecureMemoryError,
} from '@asherah/core/backend'
import { checkSecretBytes, checkSecretLength } from './internal/actions.ts'
import { Cell, ProtectedSecret, ProtectedVault } from './internal/protected-secret.ts'
import { maxRegions } from './internal/region.ts'
import { giveRegion, joinPool, leavePool, takeRegion } from './internal/region-pool.ts'
import { registerFactory } from './internal/registry.ts'
import { loadSodium } from './internal/sodium.ts'
import type { SecureMemoryStats } from './stats.ts'

/** Options of {@link createProtectedMemory}. */
export interface ProtectedMemoryOptions {
  /**
   * Secrets that may be open at once; one more is a `SecureMemoryError`. Default: as many page sets as
   * `vm.max_map_count` safely allows (5,460 with Linux's usual 65,530). The lock limit is often lower.
   */
  readonly maxSecrets?: number
}

/** A {@link SecretFactory} with a page set for each secret. */
export interface ProtectedMemory extends SecretFactory {
  /** Counters of this factory. */
  stats(): SecureMemoryStats
  /** As `close`. */
  [Symbol.dispose](): void
}

/**
 * Secrets in locked pages of their own: the strictest kind, at 4 KiB of locked memory and 4 memory mappings a secret.
 *
 * The pages have no access while idle and are read-only while an action runs: reading an idle page, or writing in an
 * action, ends the process. Guard pages surround them, a canary stands before them, core dumps leave them out, and they are wiped
 * before they are freed. An action inside another one on the same secret sees a locked copy.
 *
 * @throws InvalidConfigError for an unknown or bad option.
 * @throws SecureMemoryError when not even one page can be locked, or sodium-native has no binary for this system. The
 *   methods throw it at the limit; the message says the limit, what is used, and how to raise it.
 * @example
 * const secrets = createProtectedMemory()
 * const key = secrets.createRandom(32)
 * key.withBytes((bytes) => createHmac('sha256', bytes).update('message').digest())
 * key.close()
 * secrets.close()
 */
export function createProtectedMemory(options: ProtectedMemoryOptions = {}): ProtectedMemory {
  checkKnownOptions('createProtectedMemory', options, ['maxSecrets'])
  const { maxSecrets = maxRegions() } = options
  if (!Number.isSafeInteger(maxSecrets) || maxSecrets < 1) {
    throw new InvalidConfigError('maxSecrets must be a whole number, 1 or more')
  }
  const sodium = loadSodium()
  const vault = new ProtectedVault()
  // At the start, rather than at some later call: no page can be locked.
  giveRegion(takeRegion(1, vault.owner), vault.owner)
  joinPool()
  const unregister = registerFactory(vault)
  let closed = false

  const make = (length: number, fill: (bytes: Uint8Array) => void): ProtectedSecret => {
    if (closed) throw new ClosedError('the secret factory is closed')
    checkSecretLength(length)
    if (vault.cells.size >= maxSecrets) {
      throw new SecureMemoryError(
        `${vault.cells.size} secrets are open, of at most ${maxSecrets} (maxSecrets): close some, or use createEnclaveMemory`,
      )
    }
    return new ProtectedSecret(new Cell(length, vault, fill))
  }
  const close = (): void => {
    if (closed) return
    closed = true
    unregister()
    for (const cell of vault.cells) cell.close()
    leavePool()
  }

  return {
    fromBytes(bytes) {
      checkSecretBytes(bytes)
      try {
        return make(bytes.byteLength, (target) => target.set(bytes))
      } finally {
        bytes.fill(0)
      }
    },
    createRandom: (length) => make(length, (target) => sodium.randombytes_buf(target)),
    stats: () => vault.owner.stats(),
    close,
    [Symbol.dispose]: close,
  }
}
