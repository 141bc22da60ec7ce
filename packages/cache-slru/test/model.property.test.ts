import type { EvictReason } from '@asherah/core/backend'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createSlruCache } from '../src/index.ts'

interface Entry {
  readonly key: string
  value: number
  isProtected: boolean
}

type Left = [key: string, value: number, why: EvictReason]

const command = fc.record({
  what: fc.constantFrom('set', 'set', 'get', 'get', 'peek', 'delete'),
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', '__proto__', ''),
})
const run = { size: fc.integer({ min: 1, max: 6 }), commands: fc.array(command, { maxLength: 150 }) }

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
  const protectedSize = Math.min(size - 1, Math.floor(size * 0.5))
  /** Both segments in one list, the longest unused first: an entry that loses its protection counts as used then. */
  let entries: Entry[] = []
  const toEnd = (entry: Entry): void => {
    entries = [...entries.filter((one) => one !== entry), entry]
  }
  const use = (entry: Entry): void => {
    entry.isProtected = protectedSize > 0
    toEnd(entry)
    const safe = entries.filter((one) => one.isProtected)
    const [demoted] = safe
    if (safe.length <= protectedSize || demoted === undefined) return
    demoted.isProtected = false
    toEnd(demoted)
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
      const first = entries.find((one) => !one.isProtected)
      const victim = entries.length === size ? first : undefined
      entries = [...entries.filter((one) => one !== victim), { key, value, isProtected: false }]
      return victim === undefined ? [] : [[victim.key, victim.value, 'evict']]
    },
  }
}

test('does what two lists do (property)', () => {
  fc.assert(
    fc.property(fc.record(run), ({ size, commands }) => {
      const left: Left[] = []
      const expected: Left[] = []
      const cache = createSlruCache({ protectedShare: 0.5 }).create<number>({
        maxSize: size,
        onEvict: (key, value, why) => void left.push([key, value, why]),
      })
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
