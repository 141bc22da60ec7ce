import { expect } from 'vitest'
import { testWith } from './support/needs.ts'
import { runChild } from './support/run-child.ts'

testWith(
  ['proc'],
  'worker threads have secrets of their own, end in any way, and leave nothing locked; a forked child starts with none',
  async () => {
    const result = await runChild('threads.ts')
    expect(result, result.stderr).toMatchObject({ code: 0, signal: null })
    const report = JSON.parse(result.stdout)
    expect(report).toMatchObject({ failures: [], allRight: true, inUse: 40, forked: { inUse: 0, works: true } })
    expect(report.after).toBe(report.before)
  },
)
