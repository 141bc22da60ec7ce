import { createFakeClock } from '@asherah/testing'
import { expect, test } from 'vitest'

test('both clocks stand still until they are moved', () => {
  const clock = createFakeClock({ now: 1_000 })
  expect([clock.now(), clock.monotonicMs()]).toEqual([1_000, 0])
  clock.advance(250)
  expect([clock.now(), clock.monotonicMs()]).toEqual([1_250, 250])
  clock.set(2_000)
  expect([clock.now(), clock.monotonicMs()]).toEqual([2_000, 1_000])
})

test('stepWallClock moves the wall clock alone, either way (D-020)', () => {
  const clock = createFakeClock({ now: 10_000_000 })
  clock.stepWallClock(-3_600_000)
  expect([clock.now(), clock.monotonicMs()]).toEqual([6_400_000, 0])
  clock.stepWallClock(60_000)
  expect([clock.now(), clock.monotonicMs()]).toEqual([6_460_000, 0])
})

test('time does not flow backwards', () => {
  const clock = createFakeClock()
  const now = clock.now()
  const code = 'ERR_ASHERAH_INVALID_INPUT'
  for (const call of [() => clock.advance(-1), () => clock.set(now - 1), () => clock.advance(Number.NaN)]) {
    expect(call).toThrow(expect.objectContaining({ code }))
  }
  expect(() => createFakeClock({ now: Number.POSITIVE_INFINITY })).toThrow(expect.objectContaining({ code }))
  expect([clock.now(), clock.monotonicMs()]).toEqual([now, 0])
})
