import { describe, expect, it } from 'vitest'
import { runProgram } from './child/run.ts'

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
