import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'asherah-count-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

let reports = 0

/** A vitest report: each file's tests as `status name`. */
function reportOf(
  files: Readonly<Record<string, readonly string[]>>,
  failedFiles: Readonly<Record<string, string>> = {},
) {
  const file = join(folder, `report-${reports++}.json`)
  const tested = Object.entries(files).map(([name, tests]) => ({
    name: join(process.cwd(), name),
    status: tests.some((test) => test.startsWith('failed')) || name in failedFiles ? 'failed' : 'passed',
    message: failedFiles[name] ?? '',
    assertionResults: tests.map((test) => {
      const [status, ...words] = test.split(' ')
      return { status, fullName: words.join(' '), failureMessages: status === 'failed' ? ['Error: no\n    at it'] : [] }
    }),
  }))
  writeFileSync(file, JSON.stringify({ testResults: tested }))
  return file
}

/** What .ci/run reads of reports, given vitest's exit status. */
function counted(exitStatus: number, ...files: readonly string[]): string[] {
  const script = join(import.meta.dirname, '../count-tests.ts')
  const { stdout, stderr } = spawnSync(process.execPath, [script, String(exitStatus), ...files], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout.trim().split('\n')
}

it('gives passed, failed and skipped, and names what failed, with its messages, and what was skipped', () => {
  const report = reportOf({
    'a.test.ts': ['skipped a b', 'passed c', 'todo d'],
    'b.test.ts': ['failed e f', 'passed g'],
  })
  expect(counted(1, report)).toEqual([
    'failed: b.test.ts > e f',
    '  | Error: no',
    '  |     at it',
    'skipped: a b',
    'skipped: d',
    '2 1 2',
  ])
})

it('names a file that failed without a failing test', () => {
  const report = reportOf({ 'a.test.ts': ['passed a'], 'b.test.ts': [] }, { 'b.test.ts': 'cannot be loaded' })
  expect(counted(1, report)).toEqual(['failed: b.test.ts', '  | cannot be loaded', '1 1 0'])
})

it('counts a run that failed without a failing test as one failure', () => {
  expect(counted(1, reportOf({ 'a.test.ts': ['passed a'] }))).toEqual(['1 1 0'])
})

it('counts a run without a report, or without a test, as one failure', () => {
  expect(counted(0, join(folder, 'none.json'))).toEqual(['0 1 0'])
  expect(counted(0, reportOf({ 'a.test.ts': ['skipped a'] }))).toEqual(['skipped: a', '0 1 1'])
})

it('counts a file that ran twice as in its second run', () => {
  const first = reportOf({ 'a.test.ts': ['passed a'], 'b.test.ts': ['failed b', 'skipped c', 'passed d'] })
  expect(counted(0, first, reportOf({ 'b.test.ts': ['passed b', 'passed c', 'passed d'] }))).toEqual(['4 0 0'])
})
