import type { Clock } from '../../src/index.ts'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
/** 2026-01-01T00:00:30Z: half a minute past a whole one, so that truncation shows. */
export const START_MS: number = Date.UTC(2026, 0, 1, 0, 0, 30)

/** A clock whose wall time and monotonic time are moved by hand, together or apart. */
export interface FakeClock extends Clock {
  /** Time passes: both clocks move. */
  advance(ms: number): void
  /** The wall clock is set: monotonic time does not move. */
  step(ms: number): void
  /** The wall clock is set to a time, in Unix ms. */
  set(ms: number): void
}

export function createFakeClock(startMs: number = START_MS): FakeClock {
  let wall = startMs
  let monotonic = 5_000_000
  return {
    now: () => wall,
    monotonicMs: () => monotonic,
    advance(ms) {
      wall += ms
      monotonic += ms
    },
    step(ms) {
      wall += ms
    },
    set(ms) {
      wall = ms
    },
  }
}
