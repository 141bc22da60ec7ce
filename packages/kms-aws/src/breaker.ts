/** Remembers whether a region has been failing. */
export interface Breaker {
  /** True while the region is asked last. */
  readonly open: boolean
  succeeded(): void
  failed(): void
}

/**
 * A circuit breaker that opens after `failures` failures in a row, for `cooldownMs`. After that the region has its old place
 * again; one more failure opens it anew, one success forgets them all.
 *
 * @param monotonicMs default `performance.now`.
 */
export function createBreaker(
  settings: { readonly failures: number; readonly cooldownMs: number },
  monotonicMs: () => number = () => performance.now(),
): Breaker {
  let inARow = 0
  let openUntil = Number.NEGATIVE_INFINITY
  return {
    get open() {
      return monotonicMs() < openUntil
    },
    succeeded() {
      inARow = 0
      openUntil = Number.NEGATIVE_INFINITY
    },
    failed() {
      inARow += 1
      if (inARow >= settings.failures) openUntil = monotonicMs() + settings.cooldownMs
    },
  }
}
