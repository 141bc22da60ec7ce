import { getEventListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

/** What a process has in hand that must not grow with its age. */
export interface Vitals {
  /** Live bytes after full collections: V8's heap and what hangs on it. */
  readonly liveBytes: number
  readonly rssBytes: number
  /** Handles and requests that keep the event loop alive. */
  readonly resources: number
  /** Listeners on `process` and on the signal that every call was given. */
  readonly listeners: number
}

/** Takes the vitals, after full collections. */
export async function takeVitals(signal: AbortSignal): Promise<Vitals> {
  const collect = globalThis.gc
  if (collect === undefined) throw new Error('run with --expose-gc')
  for (let i = 0; i < 4; i++) {
    collect()
    await delay(50) // for what finalizers hold
  }
  const { heapUsed, external, rss } = process.memoryUsage()
  const onProcess = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0)
  return {
    liveBytes: heapUsed + external,
    rssBytes: rss,
    resources: process.getActiveResourcesInfo().length,
    listeners: onProcess + getEventListeners(signal, 'abort').length,
  }
}

/** One reading of the resident set. */
export interface RssSample {
  /** Since the samples began. */
  readonly seconds: number
  readonly bytes: number
}

/** The slope of the samples' regression line, in bytes a minute. */
export function slopeOf(samples: readonly RssSample[]): number {
  const mean = (of: (sample: RssSample) => number): number =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const time = mean(({ seconds }) => seconds)
  const bytes = mean((sample) => sample.bytes)
  let over = 0
  let under = 0
  for (const sample of samples) {
    over += (sample.seconds - time) * (sample.bytes - bytes)
    under += (sample.seconds - time) ** 2
  }
  return under === 0 ? 0 : (over / under) * 60
}
