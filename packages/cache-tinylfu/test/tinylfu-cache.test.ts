import { type Cache, InvalidConfigError } from '@asherah/core/backend'
import { expect, test } from 'vitest'
import { createTinyLfuCache, type TinyLfuCacheOptions } from '../src/index.ts'

function createFilled(maxSize: number): Cache<number> {
  const cache = createTinyLfuCache().create<number>({ maxSize, onEvict() {} })
  for (let i = 0; i < maxSize; i++) cache.set(`often${i}`, i)
  for (let use = 0; use < 3; use++) for (let i = 0; i < maxSize; i++) cache.get(`often${i}`)
  return cache
}

test('a scan over many keys leaves what is used often', () => {
  const cache = createFilled(1_000)
  for (let i = 0; i < 5_000; i++) cache.set(`once${i}`, i)
  const stayed = Array.from({ length: 1_000 }, (_, i) => cache.peek(`often${i}`) === i).filter(Boolean).length
  expect(stayed).toBeGreaterThan(970)
  expect(cache.size).toBe(1_000)
})

test('what becomes popular gets in, and what was popular is forgotten', () => {
  const cache = createFilled(100)
  // Each is used as it would be by a caller: looked for, and set when it is not there.
  for (let round = 0; round < 60; round++)
    for (let i = 0; i < 80; i++) if (cache.get(`new${i}`) === undefined) cache.set(`new${i}`, i)
  const there = Array.from({ length: 80 }, (_, i) => cache.peek(`new${i}`) === i).filter(Boolean).length
  expect(there).toBeGreaterThan(70)
})

test.each(['windowShare', 'protectedShare'] as const)('%s is above 0 and below 1', (name) => {
  for (const share of [0, 1, -0.1, Number.NaN, Number.POSITIVE_INFINITY]) {
    expect(() => createTinyLfuCache({ [name]: share })).toThrow(InvalidConfigError)
  }
})

test('an unknown option is refused, with the nearest that is known', () => {
  const misspelt: TinyLfuCacheOptions = Object.fromEntries([['windowsShare', 0.5]])
  expect(() => createTinyLfuCache(misspelt)).toThrow('did you mean windowShare?')
})

test('a maxSize that a Map could not hold is refused', () => {
  expect(() => createTinyLfuCache().create<number>({ maxSize: 2 ** 23 + 1, onEvict() {} })).toThrow(InvalidConfigError)
})
