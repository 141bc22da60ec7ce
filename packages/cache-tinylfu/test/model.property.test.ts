import { type CacheModel, cacheModelTest } from '@asherah/testing'
import { createFrequencySketch, type FrequencySketch } from '../src/frequency-sketch.ts'
import { halfSipHash, type TwoWords } from '../src/half-sip-hash.ts'
import { createSegmentedCache } from '../src/segmented-cache.ts'

interface Entry {
  readonly key: string
  readonly segment: 'window' | 'probation' | 'protected'
}

const hashKey: TwoWords = { low: 1, high: 2 }
const shares = { windowShare: 0.4, protectedShare: 0.5 }

/** The same by one array: slow and plain. */
function createModel(size: number): CacheModel {
  const windowSize = Math.max(1, Math.floor(size * shares.windowShare))
  const mainSize = size - windowSize
  const protectedSize = Math.max(0, Math.min(mainSize - 1, Math.floor(mainSize * shares.protectedShare)))
  /** All segments in one list, the longest unused first: an entry that changes its segment counts as used then. */
  let entries: Entry[] = []
  let sketch: FrequencySketch | undefined
  const record = (key: string): void => sketch?.record(halfSipHash(key, hashKey))
  const frequency = ({ key }: Entry): number => sketch?.estimate(halfSipHash(key, hashKey)) ?? 0
  const of = (segment: Entry['segment']): Entry[] => entries.filter((one) => one.segment === segment)
  const remove = (key: string): void => {
    entries = entries.filter((one) => one.key !== key)
  }
  const putLast = (key: string, segment: Entry['segment']): void => {
    remove(key)
    entries.push({ key, segment })
  }
  return {
    remove,
    use(key) {
      record(key)
      const segment = entries.find((one) => one.key === key)?.segment ?? 'window'
      putLast(key, segment === 'probation' && protectedSize > 0 ? 'protected' : segment)
      const [demoted] = of('protected')
      if (of('protected').length > protectedSize && demoted !== undefined) putLast(demoted.key, 'probation')
    },
    add(key) {
      entries.push({ key, segment: 'window' })
      if (entries.length * 2 >= size) sketch ??= createFrequencySketch(size)
      record(key)
      const [candidate] = of('window')
      if (of('window').length <= windowSize || candidate === undefined) return undefined
      const [victim] = of('probation')
      if (entries.length <= size) {
        putLast(candidate.key, 'probation')
        return undefined
      }
      const admitted = victim !== undefined && frequency(candidate) > frequency(victim)
      const out = admitted ? victim : candidate
      if (admitted) putLast(candidate.key, 'probation')
      remove(out.key)
      return out.key
    },
  }
}

cacheModelTest({
  name: 'does what three lists and the same sketch do (property)',
  create: (options) => createSegmentedCache(options, shares, hashKey),
  createModel,
})
