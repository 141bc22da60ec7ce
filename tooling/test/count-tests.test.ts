import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'asherah-count-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What .ci/run reads of a report, given vitest's exit status; no report when it is undefined. */
function counted(report: object | undefined, exitStatus: number): string[] {
  const file = join(folder, 'report.json')
  rmSync(file, { force: true })
  if (report !== undefined) writeFileSync(file, JSON.stringify(report))
  const script = join(import.meta.dirname, '../count-tests.ts')
  const { stdout, stderr } = spawnSync(process.execPath, [script, file, String(exitStatus)], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout.trim().split('\n')
}

it('gives passed, failed and skipped, and names what was skipped', () => {
  const testResults = [
    {
      assertionResults: [
        { status: 'skipped', fullName: 'a b' },
        { status: 'passed', fullName: 'c' },
      ],
    },
  ]
  const report = { numPassedTests: 5, numFailedTests: 2, numPendingTests: 1, numTodoTests: 1, testResults }
  expect(counted(report, 1)).toEqual(['skipped: a b', '5 2 2'])
})

it('counts a run that failed without a failing test as one failure', () => {
  expect(counted({ numPassedTests: 5, numFailedTests: 0 }, 1)).toEqual(['5 1 0'])
})

it('counts a run without a report, or without a test, as one failure', () => {
  expect(counted(undefined, 0)).toEqual(['0 1 0'])
  expect(counted({ numPassedTests: 0, numFailedTests: 0, numPendingTests: 3 }, 0)).toEqual(['0 1 3'])
})
