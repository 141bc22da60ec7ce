import { describe, expect } from 'vitest'
import { testWith } from './support/needs.ts'
import { runChild } from './support/run-child.ts'

describe('what ends the process', () => {
  for (const [what, printed] of [
    ['read an idle page', 'readable 1\nbefore\n'],
    ['write in an action of protected memory', 'before\n'],
    ['write in a nested action of protected memory', 'before\n'],
    ['write in an action of enclave memory', 'before\n'],
  ]) {
    testWith(['proc'], `${what}: the pages fault`, async () => {
      const { code, signal, stdout } = await runChild('fault.ts', [what ?? ''])
      expect({ code, signal, stdout }).toEqual({ code: null, signal: 'SIGSEGV', stdout: printed })
    })
  }

  testWith(['proc', 'own memory'], 'D-103 a damaged canary is fatal when its page set is freed', async () => {
    const { code, signal, stdout } = await runChild('fault.ts', ['a damaged canary'])
    expect(stdout).toBe('before\n')
    expect(code).toBeNull()
    expect(['SIGSEGV', 'SIGABRT', 'SIGKILL']).toContain(signal)
  })

  testWith(['proc', 'own memory'], 'D-103 damage behind the canary is none of it', async () => {
    const result = await runChild('fault.ts', ['an undamaged canary'])
    expect(result).toMatchObject({ code: 0, signal: null, stdout: 'before\nsurvived\n' })
  })
})
