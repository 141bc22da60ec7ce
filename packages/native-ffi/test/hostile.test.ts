import { describe, expect, test, vi } from 'vitest'
import { FAULT } from '../src/native-faults.ts'
import { nativeBinary } from './support/native-build.ts'
import { resultOf, runChild } from './support/run-child.ts'

const binary = nativeBinary()
const withHooks = nativeBinary('test-hooks')

// A child has 110 s.
vi.setConfig({ testTimeout: 120_000 })

describe.skipIf(binary === undefined || withHooks === undefined)('no input ends the process (D-139)', () => {
  test('60,000 calls of the native functions with wrong arguments are codes or results', () => {
    const child = runChild('hostile.ts', { args: [withHooks ?? ''] })
    expect(child.stderr).toBe('')
    const result = resultOf(child)
    expect(result).toMatchObject({ right: true })
    const { calls, codes } = Object(result)
    expect(calls).toBeGreaterThan(50_000)
    // Nothing panicked, and the arguments did reach what checks them.
    expect(codes).not.toContain(FAULT.panic)
    for (const code of [FAULT.argument, FAULT.keyClosed, FAULT.authentication, FAULT.base64, FAULT.spans]) {
      expect(codes).toContain(code)
    }
  })

  test('hostile records and rows are typed errors', () => {
    const result = resultOf(runChild('hostile-rows.ts'))
    expect(result).toMatchObject({ still: 'payload' })
    const { counts } = Object(result)
    expect(counts.ERR_ASHERAH_INVALID_INPUT).toBeGreaterThan(1_000)
    expect(counts.ERR_ASHERAH_DECRYPTION_FAILED).toBeGreaterThan(100)
  })

  test('a panic is a typed error that names the line and no data, and damaged memory is noticed (D-103)', () => {
    const child = runChild('panic.ts', { args: [withHooks ?? ''] })
    // A caught error's own exit code: not an abort, not a signal.
    expect(child).toMatchObject({ status: 3, signal: null, stderr: '' })
    const result = JSON.parse(child.stdout.trim().split('\n').at(-1) ?? '')
    expect(result).toMatchObject({
      panics: [-FAULT.panic, -FAULT.panic],
      code: 'ERR_ASHERAH_SECURE_MEMORY',
      goesOn: true,
      damage: -FAULT.damaged,
      intact: 0,
      close: -FAULT.damaged,
      front: 33,
    })
    expect(result.shown).toMatch(/failed at src.node.test_hooks\.rs:\d+ and was stopped/)
    expect(child.stdout).not.toContain('secret')
  })
})
