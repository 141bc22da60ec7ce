import { existsSync } from 'node:fs'
import { isRecord, readJsonObject } from './lib/json.ts'

// Prints what a vitest JSON report counts, for .ci/run: a line for each skipped test, then `passed failed skipped`.
// Usage: node tooling/count-tests.ts report.json EXIT-STATUS

const [file = '', exitStatus = ''] = process.argv.slice(2)
const report = existsSync(file) ? readJsonObject(file) : {}

function count(key: string): number {
  const value = report[key]
  return typeof value === 'number' ? value : 0
}

const passed = count('numPassedTests')
const skipped = count('numPendingTests') + count('numTodoTests')
// A run that fails without a failing test (a file that cannot be loaded, an unhandled error, no report) is one failure.
const failed = Math.max(count('numFailedTests'), exitStatus === '0' && passed > 0 ? 0 : 1)

for (const suite of Array.isArray(report.testResults) ? report.testResults : []) {
  const tests = isRecord(suite) && Array.isArray(suite.assertionResults) ? suite.assertionResults : []
  for (const test of tests) {
    if (isRecord(test) && !['passed', 'failed'].includes(String(test.status)))
      console.log(`skipped: ${String(test.fullName)}`)
  }
}
console.log(`${passed} ${failed} ${skipped}`)
