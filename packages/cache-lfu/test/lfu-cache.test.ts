import { type EvictReason, InvalidConfigError } from '@asherah/core/backend'
import { expect, test } from 'vitest'
import { createLfuCache } from '../src/index.ts'

test('of the least used, the one that was used longest ago leaves', () => {
  const left: [string, number, EvictReason][] = []
  const cache = createLfuCache().create<number>({ maxSize: 3, onEvict: (...gone) => void left.push(gone) })
  for (const [i, key] of ['a', 'b', 'c'].entries()) cache.set(key, i)
  cache.get('a')
  cache.get('b')
  cache.get('b')
  cache.get('c')
  cache.set('d', 3)
  cache.set('e', 4)
  expect(left).toEqual([
    ['a', 0, 'evict'],
    ['d', 3, 'evict'],
  ])
})

test('an overwrite is a use, and keeps the uses of before', () => {
  const left: string[] = []
  const cache = createLfuCache().create<number>({
    maxSize: 2,
    onEvict: (key, _value, why) => void left.push(key + why),
  })
  cache.set('a', 1)
  cache.set('b', 2)
  cache.set('a', 3)
  cache.set('c', 4)
  expect(left).toEqual(['aoverwrite', 'bevict'])
})

test('a maxSize that a Map could not hold is refused', () => {
  expect(() => createLfuCache().create<number>({ maxSize: 2 ** 23 + 1, onEvict() {} })).toThrow(InvalidConfigError)
})

test('an option is refused, rather than without effect: the size is the policy’s', () => {
  const misplaced: Record<string, never> = JSON.parse('{"max":5}')
  expect(() => createLfuCache(misplaced)).toThrow(InvalidConfigError)
  expect(() => createLfuCache(misplaced)).toThrow('no option "max": the policy has the size')
  expect(createLfuCache({}).kind).toBe('lfu')
})
