import type { EvictReason } from '@asherah/core/backend'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createLfuCache } from '../src/index.ts'

interface Entry {
  readonly key: string
  value: number
  uses: number
  usedAt: number
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
  let entries: Entry[] = []
  let time = 0
  const use = (entry: Entry): void => {
    entry.uses += 1
    time += 1
    entry.usedAt = time
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
      const [first] = entries.toSorted((a, b) => a.uses - b.uses || a.usedAt - b.usedAt)
      const victim = entries.length === size ? first : undefined
      time += 1
      entries = [...entries.filter((one) => one !== victim), { key, value, uses: 1, usedAt: time }]
      return victim === undefined ? [] : [[victim.key, victim.value, 'evict']]
    },
  }
}

test('does what sorting by uses, then by last use, does (property)', () => {
  fc.assert(
    fc.property(fc.record(run), ({ size, commands }) => {
      const left: Left[] = []
      const expected: Left[] = []
      const cache = createLfuCache().create<number>({
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
