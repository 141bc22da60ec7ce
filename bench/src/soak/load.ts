import { strictEqual } from 'node:assert'
import { createHistogram, type Histogram, monitorEventLoopDelay, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import type { SessionFactory } from '@asherah/core'
import { createRandom, createZipf } from '../../traces/random.ts'
import type { RssSample } from './vitals.ts'

/** How the load is. */
export interface LoadOptions {
  readonly partitions: number
  readonly seconds: number
  /** Given to every call: none may leave a listener on it. */
  readonly signal: AbortSignal
}

/** What the load has done and seen. */
export interface LoadResult {
  readonly operations: number
  readonly bursts: number
  /** The event loop's delay, in ms: over all, and over the half second after each burst begins. */
  readonly delayP99Ms: number
  readonly burstDelayP99Ms: number
  readonly rss: readonly RssSample[]
}

/** Popularity as of tenants: a few have most of the calls, most have few. */
const SKEW = 0.9
const CALLERS = 32
/** Partitions that nobody has used lately, all at once. */
const BURST = 100
const BURST_EVERY_MS = 1_000
const RESOLUTION_MS = 5
const PLAINTEXT = Buffer.from('4111 1111 1111 1111, a payload of a row as applications have it.')

/** By how much a timer of {@link RESOLUTION_MS} was late, in ms: what the histograms hold is how far apart its turns were. */
function lateness(turns: Histogram): number {
  return Math.max(0, turns.percentile(99) / 1e6 - RESOLUTION_MS)
}

/**
 * Records how far apart the turns of a 5 ms timer are, until it is stopped. A monitor of Node's that is enabled again takes
 * the time in which it was disabled for a delay.
 */
function recordDelays(delays: RecordableHistogram): () => void {
  let last = process.hrtime.bigint()
  const timer = setInterval(() => {
    const now = process.hrtime.bigint()
    delays.record(now - last)
    last = now
  }, RESOLUTION_MS)
  return () => clearInterval(timer)
}

/** Encrypts, and decrypts one in four, for partitions by popularity, with bursts of cold ones. */
export async function runLoad(factory: SessionFactory, options: LoadOptions): Promise<LoadResult> {
  const { partitions, seconds, signal } = options
  const random = createRandom(1)
  const draw = createZipf(partitions, SKEW, random)
  const start = performance.now()
  const end = start + seconds * 1_000
  const overall = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  const inBursts = createHistogram()
  const rss: RssSample[] = []
  let operations = 0
  let bursts = 0

  const call = async (partition: number, alsoReads: boolean): Promise<void> => {
    const session = factory.getSession(`p${partition}`)
    try {
      const text = await session.encryptToJson(PLAINTEXT, { signal })
      if (alsoReads) strictEqual(Buffer.compare(await session.decrypt(text, { signal }), PLAINTEXT), 0)
    } finally {
      session.close()
    }
    operations += 1
  }
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      await call(draw(), random.below(4) === 0)
      // Requests come from outside: a hot call alone would never let the event loop turn.
      await turn()
    }
  }
  const burst = async (): Promise<void> => {
    // From the unpopular end: a cold key each.
    const first = random.below(partitions - BURST)
    await Promise.all(Array.from({ length: BURST }, (_, i) => call(first + i, false)))
    bursts += 1
  }
  const burster = async (): Promise<void> => {
    while (performance.now() < end) {
      const stop = recordDelays(inBursts)
      await burst()
      await delay(BURST_EVERY_MS / 2)
      stop()
      rss.push({ seconds: (performance.now() - start) / 1_000, bytes: process.memoryUsage.rss() })
      await delay(BURST_EVERY_MS / 2)
    }
  }
  overall.enable()
  await Promise.all([burster(), ...Array.from({ length: CALLERS }, caller)])
  overall.disable()
  return {
    operations,
    bursts,
    delayP99Ms: lateness(overall),
    burstDelayP99Ms: lateness(inBursts),
    rss,
  }
}
