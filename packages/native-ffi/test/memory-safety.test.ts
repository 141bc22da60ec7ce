import { describe, expect, test, vi } from 'vitest'
import { hasSanitizer, sanitizerEnv } from '../scripts/sanitizer.ts'
import { nativeBinary } from './support/native-build.ts'
import { resultOf, runChild } from './support/run-child.ts'

/** The sanitized binary and the environment for it; loudly nothing, or an error, where it should be and is not. */
function sanitized(): { readonly binary: string; readonly env: Readonly<Record<string, string>> } | undefined {
  if (!hasSanitizer) return undefined
  const env = sanitizerEnv()
  const binary = env && nativeBinary('asan')
  if (env !== undefined && binary !== undefined) return { binary, env }
  const reason = 'the C compiler has no libasan.so'
  if (process.env.ASHERAH_TEST_REQUIRE === 'all') throw new Error(`${reason}, and ASHERAH_TEST_REQUIRE is all`)
  console.warn(`SKIPPED: ${reason}`)
  return undefined
}
const asan = sanitized()

// A child has 110 s.
vi.setConfig({ testTimeout: 120_000 })

describe.skipIf(nativeBinary() === undefined)('memory', () => {
  test('five seconds of rows of all forms and sizes, workers that start and end, and collections do no harm (D-103, D-114)', () => {
    const child = runChild('stress.ts', { args: ['5'] })
    expect(child.stderr).toBe('')
    const { rows, ended, terminated } = Object(resultOf(child))
    expect(rows).toBeGreaterThan(20)
    expect(ended + terminated).toBeGreaterThanOrEqual(3)
  })

  test('long rows do not pile up in a run of calls that never gives the event loop a turn', () => {
    const { megabytes, rows } = Object(resultOf(runChild('long-rows.ts')))
    expect(rows).toBe(6_000)
    // 2.4 GB of text were written.
    expect(megabytes).toBeLessThan(700)
  })
})

describe.skipIf(asan === undefined)('under AddressSanitizer (D-139)', () => {
  const { binary = '', env = {} } = asan ?? {}

  test('a read behind a buffer is noticed: it does work here', () => {
    const child = runChild('read-beyond.ts', { args: [binary], env })
    expect(child.status).not.toBe(0)
    expect(child.stderr).toMatch(/AddressSanitizer: heap-buffer-overflow|AddressSanitizer: .*READ/)
    expect(child.stdout).toBe('')
  })

  test.each([
    ['wrong arguments', 'hostile.ts', [binary]],
    ['hostile records', 'hostile-rows.ts', []],
    ['rows of all forms and sizes, workers and collections', 'stress.ts', ['5']],
  ])('%s: no bad access', (_, file, args) => {
    const child = runChild(file, { args, env })
    expect(child.stderr).toBe('')
    expect(resultOf(child)).toBeTypeOf('object')
  })
})
