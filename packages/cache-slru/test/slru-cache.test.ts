import { InvalidConfigError } from '@asherah/core/backend'
import { expect, test } from 'vitest'
import { createSlruCache, type SlruCacheOptions } from '../src/index.ts'

test('a scan over many keys leaves those that were used twice', () => {
  const cache = createSlruCache().create<number>({ maxSize: 100, onEvict() {} })
  for (let i = 0; i < 80; i++) cache.set(`often${i}`, i)
  for (let i = 0; i < 80; i++) cache.get(`often${i}`)
  for (let i = 0; i < 10_000; i++) cache.set(`once${i}`, i)
  for (let i = 0; i < 80; i++) expect(cache.peek(`often${i}`)).toBe(i)
  expect(cache.size).toBe(100)
})

test.each([0, 1, -0.1, Number.NaN, Number.POSITIVE_INFINITY])('a protectedShare of %d is refused', (protectedShare) => {
  expect(() => createSlruCache({ protectedShare })).toThrow(InvalidConfigError)
})

test('an unknown option is refused, with the nearest that is known', () => {
  const misspelt: SlruCacheOptions = Object.fromEntries([['protectShare', 0.5]])
  expect(() => createSlruCache(misspelt)).toThrow('did you mean protectedShare?')
})

test('a maxSize that a Map could not hold is refused', () => {
  expect(() => createSlruCache().create<number>({ maxSize: 2 ** 23 + 1, onEvict() {} })).toThrow(InvalidConfigError)
})
