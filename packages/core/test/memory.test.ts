import { describe, expect, it } from 'vitest'
import { runProgram } from './child/run.ts'

const isLinux = process.platform === 'linux'
const isRoot = process.getuid?.() === 0
const NOBODY = 65_534

describe('sessions that are dropped without close', () => {
  it('give their keys back when they are collected, and say so', async () => {
    const { code, stdout, stderr } = await runProgram('drop-session.ts', ['--expose-gc'])
    expect(stderr).toBe('')
    expect(code).toBe(0)
    const warnings = Array.from({ length: 6 }, () => 'SESSION_NOT_CLOSED')
    // The system key stays; of the cached sessions one intermediate key too.
    expect(JSON.parse(stdout)).toEqual({
      unshared: { before: 7, after: 1, warnings },
      cached: { before: 5, after: 2, warnings },
    })
  })
})

describe('a heap snapshot', () => {
  it('D-100 shows no key, in any form that a string can have', async () => {
    const { code, stdout, stderr } = await runProgram('heap-snapshot.ts')
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ found: [], seesPlanted: true })
  })
})

describe('the process', () => {
  // Where /proc is, the kernel can be asked. As root, a process's files belong to root whether it is dumpable or not: there
  // another user runs it.
  it.skipIf(!isLinux)(
    'D-105 D-140 a factory changes nothing of it: limits, dumpable, signals, environment (needs Linux)',
    async () => {
      const { code, stdout, stderr } = await runProgram('process-limits.ts', [], isRoot ? NOBODY : undefined)
      expect(stderr).toBe('')
      expect(code).toBe(0)
      const { before, made, after } = JSON.parse(stdout)
      expect(before.limits).toContain('Max core file size')
      expect(before.dumpable).not.toBe(0)
      expect(made).toEqual(before)
      expect(after).toEqual(before)
    },
  )

  it('D-139 no option, row or argument ends it, and each error is of this library', async () => {
    const { code, signal, stdout, stderr } = await runProgram('hostile.ts')
    expect(stderr).toBe('')
    // What the program sets when it has caught the last error.
    expect([code, signal]).toEqual([3, null])
    const counts: Record<string, number> = JSON.parse(stdout)
    expect(Object.keys(counts).filter((outcome) => outcome.startsWith('untyped'))).toEqual([])
    for (const code of ['INVALID_CONFIG', 'INVALID_INPUT', 'CORRUPT_RECORD']) {
      expect(counts[`ERR_ASHERAH_${code}`]).toBeGreaterThan(100)
    }
  })
})
