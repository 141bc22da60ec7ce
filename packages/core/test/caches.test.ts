import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Cache, type EvictReason, InvalidConfigError, lruCache, simpleCache } from '../src/index.ts'
import { thrownBy } from './harness.ts'

interface Watched {
  readonly cache: Cache<number>
  readonly left: [string, number, EvictReason][]
}

function watched(maxSize: number, factory = lruCache()): Watched {
  const left: Watched['left'] = []
  const cache = factory.create<number>({ maxSize, onEvict: (key, value, why) => void left.push([key, value, why]) })
  return { cache, left }
}

describe('lruCache', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])('refuses a maxSize of %d', (maxSize) => {
    expect(thrownBy(() => watched(maxSize))).toBeInstanceOf(InvalidConfigError)
  })

  it('D-132 the bound is exact: a, b, a, c lets b go', () => {
    const { cache, left } = watched(2)
    cache.set('a', 1)
    cache.set('b', 2)
    expect(cache.get('a')).toBe(1)
    cache.set('c', 3)
    expect(left).toEqual([['b', 2, 'evict']])
    expect([cache.peek('a'), cache.peek('b'), cache.peek('c')]).toEqual([1, undefined, 3])
    expect(cache.size).toBe(2)
  })

  it('peek is no use', () => {
    const { cache, left } = watched(2)
    cache.set('a', 1)
    cache.set('b', 2)
    cache.peek('a')
    cache.set('c', 3)
    expect(left).toEqual([['a', 1, 'evict']])
  })

  it('each value leaves once, with its reason', () => {
    const { cache, left } = watched(2)
    cache.set('a', 1)
    cache.set('a', 2)
    expect(cache.delete('a')).toBe(true)
    expect(cache.delete('a')).toBe(false)
    cache.set('b', 3)
    cache.close()
    cache.close()
    cache.set('c', 4)
    expect(left).toEqual([
      ['a', 1, 'overwrite'],
      ['a', 2, 'delete'],
      ['b', 3, 'dispose'],
      ['c', 4, 'dispose'],
    ])
    expect(cache.size).toBe(0)
    expect(cache.get('c')).toBeUndefined()
  })

  it('a callback may use the cache', () => {
    const cache: Cache<number> = lruCache().create<number>({
      maxSize: 1,
      onEvict: (key, _value, why) => {
        seen.push([key, why, cache.size, cache.get(key)])
        if (why === 'evict') cache.delete(key)
      },
    })
    const seen: unknown[] = []
    cache.set('a', 1)
    cache.set('b', 2)
    cache.close()
    expect(seen).toEqual([
      ['a', 'evict', 1, undefined],
      ['b', 'dispose', 0, undefined],
    ])
  })

  it('does what a list would do (property)', () => {
    const command = fc.record({
      what: fc.constantFrom('set', 'get', 'peek', 'delete'),
      key: fc.constantFrom('a', 'b', 'c', 'd', '__proto__', ''),
      value: fc.nat(),
    })
    const trace = fc.array(command, { maxLength: 60, size: 'max' })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), trace, (maxSize, commands) => {
        const { cache, left } = watched(maxSize)
        let model: [string, number][] = [] // the longest unused first
        const expected: typeof left = []
        const drop = (key: string, why: EvictReason): void => {
          const found = model.find(([k]) => k === key)
          model = model.filter((entry) => entry !== found)
          if (found !== undefined) expected.push([found[0], found[1], why])
        }
        for (const { what, key, value } of commands) {
          const found = model.find(([k]) => k === key)
          if (what === 'set') {
            drop(key, 'overwrite')
            if (model.length >= maxSize) drop(model[0]?.[0] ?? '', 'evict')
            model.push([key, value])
            cache.set(key, value)
          } else if (what === 'delete') {
            expect(cache.delete(key)).toBe(found !== undefined)
            drop(key, 'delete')
          } else {
            expect(what === 'get' ? cache.get(key) : cache.peek(key)).toBe(found?.[1])
            if (what === 'get' && found !== undefined) model = [...model.filter((entry) => entry !== found), found]
          }
          expect(cache.size).toBe(model.length)
        }
        expect(left).toEqual(expected)
      }),
      { numRuns: 300 },
    )
  })

  it('D-031 an insertion over the bound does not look at every entry', () => {
    // One that did would take 5 * 10^9 steps here, and run into the time limit of the test.
    const { cache, left } = watched(50_000)
    for (let i = 0; i < 150_000; i += 1) cache.set(`${i}`, i)
    expect(cache.size).toBe(50_000)
    expect(left.length).toBe(100_000)
    expect(left.every(([key, value], i) => key === `${i}` && value === i)).toBe(true)
  })
})

describe('simpleCache', () => {
  it('D-030 is unbounded, and refuses a size', () => {
    for (const maxSize of [1, 1_000, Number.NaN]) {
      expect(thrownBy(() => watched(maxSize, simpleCache()))).toBeInstanceOf(InvalidConfigError)
    }
    const { cache, left } = watched(Number.POSITIVE_INFINITY, simpleCache())
    for (let i = 0; i < 5_000; i += 1) cache.set(`${i}`, i)
    expect([cache.size, left.length, cache.get('0')]).toEqual([5_000, 0, 0])
    cache.set('0', 7)
    expect(left).toEqual([['0', 0, 'overwrite']])
    cache.close()
    expect(left.length).toBe(5_001)
  })
})
