import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFrequencySketch } from '../src/frequency-sketch.ts'
import { halfSipHash, type TwoWords } from '../src/half-sip-hash.ts'

const hash = (key: string | number): TwoWords => halfSipHash(`${key}`, { low: 7, high: 11 })

test('before any aging no estimate is below the count, up to 16 (property)', () => {
  const uses = fc.array(fc.nat({ max: 60 }), { maxLength: 399, size: 'max' })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 40 }), uses, (maxSize, keys) => {
      const sketch = createFrequencySketch(maxSize)
      const counts = new Map<number, number>()
      for (const key of keys.slice(0, maxSize * 10 - 1)) {
        sketch.record(hash(key))
        counts.set(key, (counts.get(key) ?? 0) + 1)
        expect(sketch.estimate(hash(key))).toBeLessThanOrEqual(16)
      }
      for (const [key, count] of counts) expect(sketch.estimate(hash(key))).toBeGreaterThanOrEqual(Math.min(16, count))
    }),
    { numRuns: 500 },
  )
})

test('estimates are exact for nearly all keys at the load that it is made for', () => {
  const sketch = createFrequencySketch(1_000)
  for (let key = 0; key < 1_000; key++) for (let use = 0; use < 1 + (key % 8); use++) sketch.record(hash(key))
  const wrong = Array.from({ length: 1_000 }, (_, key) => sketch.estimate(hash(key)) !== 1 + (key % 8)).filter(Boolean)
  expect(wrong.length).toBeLessThan(20)
})

test('what came up once is known to the doorkeeper, and a stranger is not', () => {
  const sketch = createFrequencySketch(1_000)
  for (let key = 0; key < 1_000; key++) sketch.record(hash(key))
  expect(sketch.estimate(hash(1))).toBe(1)
  const taken = Array.from({ length: 1_000 }, (_, key) => sketch.estimate(hash(`stranger ${key}`))).filter((n) => n > 0)
  expect(taken.length).toBeLessThan(30)
})

test('after ten records an entry all counts are halved, and what came up once is forgotten', () => {
  const sketch = createFrequencySketch(100)
  for (let use = 0; use < 9; use++) sketch.record(hash('popular'))
  sketch.record(hash('once'))
  expect([sketch.estimate(hash('popular')), sketch.estimate(hash('once'))]).toEqual([9, 1])
  for (let use = 0; use < 990; use++) sketch.record(hash('other'))
  // Of nine uses the doorkeeper had one, which is gone, and the counters eight.
  expect([sketch.estimate(hash('popular')), sketch.estimate(hash('once'))]).toEqual([4, 0])
})
