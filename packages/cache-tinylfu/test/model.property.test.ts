import type { EvictReason } from '@asherah/core/backend'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFrequencySketch, type FrequencySketch } from '../src/frequency-sketch.ts'
import { halfSipHash, type TwoWords } from '../src/half-sip-hash.ts'
import { createSegmentedCache } from '../src/segmented-cache.ts'

interface Entry {
  readonly key: string
  value: number
  segment: 'window' | 'probation' | 'protected'
}

type Left = [key: string, value: number, why: EvictReason]

const command = fc.record({
  what: fc.constantFrom('set', 'set', 'get', 'get', 'peek', 'delete'),
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', '__proto__', ''),
})
const run = { size: fc.integer({ min: 1, max: 6 }), commands: fc.array(command, { maxLength: 150 }) }

const hashKey: TwoWords = { low: 1, high: 2 }
const shares = { windowShare: 0.4, protectedShare: 0.5 }

/** The same by arrays and sorting: slow and plain. */
interface Model {
  get(key: string): number | undefined
  peek(key: string): number | undefined
  /** What leaves. */
  set(key: string, value: number): Left[]
  delete(key: string): void
  size(): number
}

function createModel(size: number): Model {
  const windowSize = Math.max(1, Math.floor(size * shares.windowShare))
  const mainSize = size - windowSize
  const protectedSize = Math.max(0, Math.min(mainSize - 1, Math.floor(mainSize * shares.protectedShare)))
  /** All segments in one list, the longest unused first: an entry that changes its segment counts as used then. */
  let entries: Entry[] = []
  let sketch: FrequencySketch | undefined
  const record = (key: string): void => sketch?.record(halfSipHash(key, hashKey))
  const frequency = (entry: Entry): number => sketch?.estimate(halfSipHash(entry.key, hashKey)) ?? 0
  const moveTo = (entry: Entry, segment: Entry['segment']): void => {
    entry.segment = segment
    entries = [...entries.filter((one) => one !== entry), entry]
  }
  const of = (segment: Entry['segment']): Entry[] => entries.filter((one) => one.segment === segment)
  const use = (entry: Entry): void => {
    record(entry.key)
    moveTo(entry, entry.segment === 'probation' && protectedSize > 0 ? 'protected' : entry.segment)
    const [demoted] = of('protected')
    if (of('protected').length > protectedSize && demoted !== undefined) moveTo(demoted, 'probation')
  }
  return {
    get(key) {
      const entry = entries.find((one) => one.key === key)
      if (entry !== undefined) use(entry)
      return entry?.value
    },
    peek: (key) => entries.find((one) => one.key === key)?.value,
    delete(key) {
      entries = entries.filter((one) => one.key !== key)
    },
    size: () => entries.length,
    set(key, value) {
      const known = entries.find((one) => one.key === key)
      if (known !== undefined) {
        const old = known.value
        known.value = value
        use(known)
        return [[key, old, 'overwrite']]
      }
      entries.push({ key, value, segment: 'window' })
      if (entries.length * 2 >= size) sketch ??= createFrequencySketch(size)
      record(key)
      const [candidate] = of('window')
      if (of('window').length <= windowSize || candidate === undefined) return []
      const [victim] = of('probation')
      if (entries.length <= size) {
        moveTo(candidate, 'probation')
        return []
      }
      const admitted = victim !== undefined && frequency(candidate) > frequency(victim)
      const out = admitted ? victim : candidate
      if (admitted) moveTo(candidate, 'probation')
      entries = entries.filter((one) => one !== out)
      return [[out.key, out.value, 'evict']]
    },
  }
}

test('does what three lists and the same sketch do (property)', () => {
  fc.assert(
    fc.property(fc.record(run), ({ size, commands }) => {
      const left: Left[] = []
      const expected: Left[] = []
      const cache = createSegmentedCache<number>(
        { maxSize: size, onEvict: (key, value, why) => void left.push([key, value, why]) },
        shares,
        hashKey,
      )
      const model = createModel(size)
      for (const [value, { what, key }] of commands.entries()) {
        if (what === 'get') expect(cache.get(key)).toBe(model.get(key))
        else if (what === 'peek') expect(cache.peek(key)).toBe(model.peek(key))
        else if (what === 'delete') {
          const found = model.peek(key)
          expect(cache.delete(key)).toBe(found !== undefined)
          if (found !== undefined) expected.push([key, found, 'delete'])
          model.delete(key)
        } else {
          cache.set(key, value)
          expected.push(...model.set(key, value))
        }
        expect(left).toEqual(expected)
        expect(cache.size).toBe(model.size())
      }
    }),
    { numRuns: 1_000 },
  )
})
