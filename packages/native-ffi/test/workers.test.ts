import { describe, expect, test, vi } from 'vitest'
import { nativeBinary } from './support/native-build.ts'
import { resultOf, runChild } from './support/run-child.ts'

// A child has 110 s.
vi.setConfig({ testTimeout: 120_000 })

describe.skipIf(nativeBinary() === undefined)('worker threads (D-114)', () => {
  test('eight at once work for themselves, and one that is ended in the middle disturbs nobody', () => {
    const child = runChild('workers.ts')
    expect(child.stderr).toBe('')
    expect(resultOf(child)).toEqual({
      finished: 7,
      rows: 7 * 400,
      terminated: 1,
      foreignRefused: 7,
      mainRows: true,
      providersOfMain: 1,
      // What the workers had locked was given back: the main thread's own provider is what is left.
      lockedAsBefore: true,
    })
  })

  test('a binary that only workers have loaded outlives them and their strings', () => {
    const child = runChild('workers-only.ts')
    expect(child.stderr).toBe('')
    expect(resultOf(child)).toEqual({ ended: 5 })
  })
})
