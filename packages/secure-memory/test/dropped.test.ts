import { expect } from 'vitest'
import { testWith } from './support/needs.ts'
import { runChild } from './support/run-child.ts'

testWith(
  ['proc'],
  'D-142 secrets and factories that were dropped without close() are wiped and given back',
  async () => {
    const result = await runChild('dropped.ts', [], { node: ['--expose-gc'] })
    expect(result, result.stderr).toMatchObject({ code: 0, signal: null })
    const expected = {
      secrets: { inUse: 0, warnings: 10 },
      dropped: { inUse: 0, lockedBytes: 0 },
      alive: 32,
      purged: 1,
      closed: true,
    }
    expect(JSON.parse(result.stdout)).toMatchObject({
      createProtectedMemory: expected,
      createEnclaveMemory: expected,
      lockedBytes: 0,
      stats: { inUse: 0, lockedBytes: 0 },
    })
  },
)
