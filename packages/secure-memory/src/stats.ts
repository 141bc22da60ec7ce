import { type Counters, threadCounters } from './internal/counters.ts'
import { lockLimit } from './internal/system.ts'

/** Counters of a factory, or of all factories of a thread. */
export interface SecureMemoryStats {
  /** Secrets made so far. */
  readonly allocated: number
  /** Secrets that are open. */
  readonly inUse: number
  readonly inUseHighWater: number
  /** The lengths of the open secrets together. */
  readonly inUseBytes: number
  /** Open secrets of enclave memory whose encrypted form is in ordinary memory, since no more could be locked. */
  readonly inOrdinaryMemory: number
  /** Bytes of locked pages. */
  readonly lockedBytes: number
  readonly lockedBytesHighWater: number
  /** Bytes of page sets that could not be locked and are used all the same: 0 unless `allowUnlocked` is set. */
  readonly unlockedBytes: number
  /** The soft limit of the process (RLIMIT_MEMLOCK) in bytes; `Infinity` is unlimited, undefined unknown. */
  readonly lockLimitBytes: number | undefined
}

/** The counters of every factory of this thread together; `lockedBytes` includes the few idle pages between them. */
export function secureMemoryStats(): SecureMemoryStats {
  return snapshot(threadCounters, lockLimit()?.soft)
}

/** The counters as they are now. */
export function snapshot(counters: Counters, lockLimitBytes: number | undefined): SecureMemoryStats {
  return {
    allocated: counters.allocated,
    inUse: counters.inUse,
    inUseHighWater: counters.inUseHighWater,
    inUseBytes: counters.inUseBytes,
    inOrdinaryMemory: counters.inOrdinaryMemory,
    lockedBytes: counters.lockedBytes,
    lockedBytesHighWater: counters.lockedBytesHighWater,
    unlockedBytes: counters.unlockedBytes,
    lockLimitBytes,
  }
}
