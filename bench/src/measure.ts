import { Bench } from 'tinybench'

/** One side of a comparison: `batch` operations a call, so that the clock's own cost does not count. */
export interface Side {
  readonly run: () => Promise<void> | void
  readonly batch: number
}

/** How much is measured. */
export interface Effort {
  /** Rounds of (A, B) or (B, A); the ratio is the median of the rounds'. */
  readonly rounds: number
  /** Milliseconds of each side in a round, about. */
  readonly sideMs: number
}

/** Nanoseconds an operation, or what the row's unit says, and ours ÷ peer. */
export interface Measured {
  readonly ours: number
  readonly peer: number | null
  readonly ratio: number | null
}

/**
 * Times two sides in turn, so that a machine whose speed drifts slows both. `clock` gives milliseconds; by default
 * main-thread CPU time, since on a shared machine wall time measures the neighbours.
 */
export async function measurePaired(
  ours: Side,
  peer: Side | null,
  effort: Effort,
  clock: () => number = threadCpuMs,
): Promise<Measured> {
  const oursNs: number[] = []
  const peerNs: number[] = []
  const ratios: number[] = []
  for (let round = 0; round < effort.rounds; round++) {
    const oursFirst = round % 2 === 0
    let a = oursFirst ? await time(ours, effort, clock) : 0
    const b = peer === null ? null : await time(peer, effort, clock)
    if (!oursFirst) a = await time(ours, effort, clock)
    oursNs.push(a)
    if (b === null) continue
    peerNs.push(b)
    ratios.push(a / b)
  }
  return {
    ours: median(oursNs),
    peer: peer === null ? null : median(peerNs),
    ratio: peer === null ? null : median(ratios),
  }
}

/**
 * One sample: as many batches as fill `sideMs`. The clock of CPU time ticks every 10 ms on some systems, so a sample must be
 * many ticks long, and there is one of them, not many short ones.
 */
async function time(side: Side, effort: Effort, clock: () => number): Promise<number> {
  const batches = await calibrate(side, effort.sideMs)
  const bench = new Bench({ now: clock, time: 0, iterations: 1, warmup: false, throws: true })
  bench.add('side', async () => {
    for (let i = 0; i < batches; i++) await side.run()
  })
  const [task] = await bench.run()
  const result = task?.result
  if (result === undefined || !('latency' in result)) throw new Error('the benchmark gave no result')
  return (result.latency.mean * 1e6) / (batches * side.batch)
}

/** How many batches take `ms` of wall time; also the warm-up. */
async function calibrate(side: Side, ms: number): Promise<number> {
  const start = performance.now()
  let batches = 0
  while (performance.now() - start < ms / 4) {
    await side.run()
    batches += 1
  }
  return batches * 4
}

/** Wall time, for what runs beside the main thread. */
export function wallMs(): number {
  return performance.now()
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1_000
}

/** The middle of the sorted values; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2
}
