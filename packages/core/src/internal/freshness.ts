import type { Clock } from '../contracts/clock.ts'
import type { CryptoPolicy } from '../crypto-policy.ts'

/** When a row was last read, in monotonic ms. */
export interface Freshness {
  /** The start of the read. */
  checkedAt: number
  /** `checkedAt` and the policy's interval, shortened by jitter. */
  freshUntil: number
  /** Re-checks that failed since. */
  failures: number
  /** The next re-check after a failure, not before. */
  retryAt: number
}

/**
 * What may be done with an entry: use it (`fresh`); use it while a re-check runs behind (`revalidate`); use it although the
 * last re-check failed, until the next is due (`grace`); wait for a re-check (`wait`).
 */
export type FreshnessState = 'fresh' | 'revalidate' | 'grace' | 'wait'

const FIRST_RETRY_MS = 1_000
const LAST_RETRY_MS = 30_000

/** The policy's rules of age for cached keys. */
export interface FreshnessRules {
  /** Now, on the monotonic clock. */
  now(): number
  /** The freshness of what a read that began at `start` has shown. */
  since(start: number): Freshness
  /** Takes over the result of a later read. */
  refresh(freshness: Freshness, start: number): void
  /** Notes that a re-check failed. */
  fail(freshness: Freshness): void
  state(freshness: Freshness): FreshnessState
  /** Whether the entry may be used although its re-check has just failed. */
  inGrace(freshness: Freshness): boolean
}

/** How long to wait before trying again what failed `failures` times: 1 s, doubling to 30 s. */
export function backOffMs(failures: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, failures - 1))
}

/** Rules from a policy; `random` gives the jitter, from 0 to 1. */
export function createFreshnessRules(
  policy: CryptoPolicy,
  clock: Clock,
  random: () => number = Math.random,
): FreshnessRules {
  const interval = policy.revokeCheckIntervalMs
  /** The last moment of use by policy alone: the interval's end, or the second interval's. */
  const lastUse = (f: Freshness): number => f.checkedAt + interval * (policy.staleWhileRevalidate ? 2 : 1)
  const freshUntil = (start: number): number =>
    interval === Number.POSITIVE_INFINITY ? interval : start + interval * (1 - policy.keyReloadJitter * random())
  const inGrace = (f: Freshness): boolean => f.failures > 0 && clock.monotonicMs() < lastUse(f) + policy.staleGraceMs
  return {
    now: () => clock.monotonicMs(),
    since: (start) => ({ checkedAt: start, freshUntil: freshUntil(start), failures: 0, retryAt: 0 }),
    refresh(f, start) {
      if (start < f.checkedAt) return
      f.checkedAt = start
      f.freshUntil = freshUntil(start)
      f.failures = 0
    },
    fail(f) {
      f.failures += 1
      f.retryAt = clock.monotonicMs() + backOffMs(f.failures)
    },
    state(f) {
      const now = clock.monotonicMs()
      if (now < f.freshUntil) return 'fresh'
      if (f.failures > 0 && now < f.retryAt && inGrace(f)) return 'grace'
      return policy.staleWhileRevalidate && now < lastUse(f) ? 'revalidate' : 'wait'
    },
    inGrace,
  }
}
