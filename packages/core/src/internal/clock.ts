import { performance } from 'node:perf_hooks'
import type { Clock } from '../contracts/clock.ts'

/** The system's clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
}
