import { type EvictReason, InvalidConfigError } from '@asherah/core/backend'
import { expect, test } from 'vitest'
import { createLruCache } from '../src/index.ts'

test('D-031 entries keep their order, and none leaves, while the slots grow', () => {
  const left: [string, number, EvictReason][] = []
  const cache = createLruCache().create<number>({ maxSize: 100, onEvict: (...gone) => void left.push(gone) })
  for (let i = 0; i < 100; i++) {
    cache.set(`k${i}`, i)
    // The first is used all the time, and so leaves after all others.
    cache.get('k0')
  }
  expect(left).toEqual([])
  for (let i = 100; i < 200; i++) cache.set(`k${i}`, i)
  const order = [...Array.from({ length: 99 }, (_, i) => i + 1), 0]
  expect(left).toEqual(order.map((i) => [`k${i}`, i, 'evict']))
})

test('undefined is a value, and the same value set again leaves once as overwrite', () => {
  const left: EvictReason[] = []
  const cache = createLruCache().create<undefined>({ maxSize: 2, onEvict: (_key, _value, why) => void left.push(why) })
  cache.set('a', undefined)
  expect(cache.size).toBe(1)
  cache.set('a', undefined)
  expect([cache.size, left]).toEqual([1, ['overwrite']])
})

test('a cache takes memory as it fills: a million caches of sessions with a key each do not reserve a thousand slots each', () => {
  const before = process.memoryUsage().arrayBuffers
  const caches = Array.from({ length: 1_000 }, () => {
    const cache = createLruCache().create<number>({ maxSize: 1_000_000, onEvict() {} })
    cache.set('k', 1)
    return cache
  })
  // A slot takes 8 bytes of typed arrays: whole, each cache would take 8 MB.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50_000_000)
  expect(caches.every((cache) => cache.size === 1)).toBe(true)
})

test('a maxSize that a Map could not hold is refused', () => {
  const create = (): unknown => createLruCache().create<number>({ maxSize: 2 ** 23 + 1, onEvict() {} })
  expect(create).toThrow(InvalidConfigError)
})

test('an option is refused, rather than without effect: the size is the policy’s', () => {
  const misplaced: Record<string, never> = JSON.parse('{"max":5}')
  expect(() => createLruCache(misplaced)).toThrow(InvalidConfigError)
  expect(() => createLruCache(misplaced)).toThrow('no option "max": the policy has the size')
  expect(createLruCache({}).kind).toBe('lru')
})
