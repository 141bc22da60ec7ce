import { describe, expect, test } from 'vitest'
import { nativeBinary } from './support/native-build.ts'
import { resultOf, runChild } from './support/run-child.ts'

describe.skipIf(nativeBinary() === undefined || process.platform !== 'linux')('the process', () => {
  test('has the limits, signal handlers and environment that it had (D-105, D-140)', () => {
    const { before, after, worked } = Object(resultOf(runChild('side-effects.ts')))
    expect(worked).toBe(true)
    expect(after).toEqual(before)
    expect(before.limits).toContain('Max core file size')
    expect(before.status).toHaveProperty('SigCgt')
  })
})
