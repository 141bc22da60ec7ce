/** The time source of a factory. Tests inject one that they can move. */
export interface Clock {
  /** Wall-clock time in Unix milliseconds: keys' `created` and expiry. */
  now(): number
  /** A clock that never steps, in milliseconds from any origin: freshness of caches. */
  monotonicMs(): number
}
