import { createRandom, createZipf } from './random.ts'

/** Which partition is used, one access after the other. */
export interface Trace {
  readonly name: string
  /** What a workload of this kind is. */
  readonly description: string
  /** Numbers of partitions, from 0. */
  readonly accesses: Uint32Array
}

const PARTITIONS = 100_000

/** Popular and rare tenants, by skew. */
const ZIPF_SKEWS = [0.7, 0.9, 1.1] as const

/** Every trace of the study; the same on every run. */
export function createTraces(length: number): Trace[] {
  return [
    ...ZIPF_SKEWS.map((skew) => zipf(length, skew)),
    scans(length),
    loop(length),
    shifting(length),
    bursts(length),
  ]
}

function trace(name: string, description: string, length: number, access: (i: number) => number): Trace {
  return { name, description, accesses: Uint32Array.from({ length }, (_, i) => access(i)) }
}

function zipf(length: number, skew: number): Trace {
  const draw = createZipf(PARTITIONS, skew, createRandom(1))
  return trace(`zipf-${skew}`, `popular and rare tenants, steady, skew ${skew}`, length, draw)
}

function scans(length: number): Trace {
  const draw = createZipf(PARTITIONS, 0.9, createRandom(2))
  let scanned = 0
  // One access of three belongs to the job, in runs of 10,000 after 20,000 others.
  return trace('scan', 'zipf 0.9, and a batch job that visits all tenants in turn', length, (i) =>
    i % 30_000 < 20_000 ? draw() : scanned++ % PARTITIONS,
  )
}

function loop(length: number): Trace {
  return trace('loop', '12,000 tenants, again and again in the same order', length, (i) => i % 12_000)
}

function shifting(length: number): Trace {
  const draw = createZipf(PARTITIONS, 0.9, createRandom(3))
  return trace('shifting', 'zipf 0.9 whose popular tenants are others after every 50,000 accesses', length, (i) => {
    return (draw() + Math.floor(i / 50_000) * 7_919) % PARTITIONS
  })
}

function bursts(length: number): Trace {
  const random = createRandom(4)
  const active = Array.from({ length: 2_000 }, () => random.below(PARTITIONS))
  return trace('bursts', '2,000 users at a time, each here for about 20 accesses and then gone', length, () => {
    const place = random.below(active.length)
    const user = active[place] ?? 0
    if (random.below(20) === 0) active[place] = random.below(PARTITIONS)
    return user
  })
}
