import { describe, expect } from 'vitest'
import { testWith } from './support/needs.ts'
import { type ChildResult, runChild } from './support/run-child.ts'

interface ProcessState {
  readonly limits: string
  readonly coreFilter: string
  readonly listeners: readonly [string, number][]
}

interface StateReport {
  readonly before: ProcessState
  readonly after: ProcessState
  readonly hardened?: {
    readonly state: ProcessState
    readonly report: { readonly measures: readonly { readonly measure: string; readonly set: boolean }[] }
  }
}

async function reportOf(level: string): Promise<{ report: StateReport; result: ChildResult }> {
  const result = await runChild('process-state.ts', [level], { limits: ['--core=8192:16384'] })
  expect(result, result.stderr).toMatchObject({ code: 0, signal: null })
  return { report: JSON.parse(result.stdout), result }
}

function coreLimit({ limits }: ProcessState): string[] {
  const [, soft = '', hard = ''] = limits.match(/^Max core file size\s+(\S+)\s+(\S+)/m) ?? []
  return [soft, hard]
}

describe('what is process-wide', () => {
  testWith(
    ['proc', 'prlimit', 'core limit'],
    'D-105 D-140 nothing changes by making and using secure memory',
    async () => {
      const { report } = await reportOf('none')
      expect(report.after).toEqual(report.before)
      expect(coreLimit(report.after)).toEqual(['8192', '16384'])
      expect(report.hardened).toBeUndefined()
    },
  )

  testWith(
    ['proc', 'prlimit', 'core limit'],
    "D-140 hardenProcess('core-dumps') lowers the soft core limit and not the hard one",
    async () => {
      const { report, result } = await reportOf('core-dumps')
      const { state, report: said } = report.hardened ?? expect.fail('the child did not harden itself')
      expect(said.measures).toMatchObject([
        { measure: 'core-limit', set: true },
        { measure: 'core-filter', set: true },
        { measure: 'not-dumpable', set: false },
      ])
      expect(coreLimit(state)).toEqual(['0', '16384'])
      expect(Number.parseInt(state.coreFilter, 16)).toBe(0)
      const others = { limits: '', coreFilter: '' }
      expect({ ...state, ...others }).toEqual({ ...report.before, ...others })
      expect(result.stderr, 'the inspector still opens').toContain('Debugger listening')
    },
  )

  testWith(
    ['proc', 'prlimit', 'core limit'],
    "hardenProcess('debugger') keeps SIGUSR1 from opening the inspector",
    async () => {
      const { report, result } = await reportOf('debugger')
      expect(report.hardened?.report.measures.at(-1)).toMatchObject({ measure: 'inspector-signal', set: true })
      expect(result.stderr).not.toContain('Debugger listening')
    },
  )
})
