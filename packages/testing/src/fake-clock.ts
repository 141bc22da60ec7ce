import { type Clock, InvalidInputError } from '@asherah/core/backend'

/** A {@link Clock} that stands still until a test moves it. */
export interface FakeClock extends Clock {
  /** Time passes: both clocks go on by `ms` ≥ 0. */
  advance(ms: number): void
  /** Time passes until `now()` is `ms` (Unix milliseconds), which must not be before now. */
  set(ms: number): void
  /** Somebody sets the system's clock: `now()` moves by `ms`, forward or back, and no time passes. */
  stepWallClock(ms: number): void
}

/** Options of {@link createFakeClock}. */
export interface FakeClockOptions {
  /** Unix milliseconds; default 2026-01-01T00:00:00Z. */
  readonly now?: number
}

/**
 * A clock for tests.
 *
 * @throws InvalidInputError for times that are not finite, and for time that would flow backwards.
 * @example
 * const clock = createFakeClock()
 * clock.advance(60_000)
 */
export function createFakeClock(options: FakeClockOptions = {}): FakeClock {
  let now = finite(options.now ?? Date.UTC(2026, 0, 1))
  let monotonic = 0
  const advance = (ms: number): void => {
    if (finite(ms) < 0) throw new InvalidInputError('time does not flow backwards: stepWallClock sets the clock back')
    now += ms
    monotonic += ms
  }
  return {
    now: () => now,
    monotonicMs: () => monotonic,
    advance,
    set: (ms) => advance(finite(ms) - now),
    stepWallClock(ms) {
      now += finite(ms)
    },
  }
}

function finite(ms: number): number {
  if (!Number.isFinite(ms)) throw new InvalidInputError(`a time is a finite number of milliseconds, not ${ms}`)
  return ms
}
