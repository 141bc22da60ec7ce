import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import { isRecord, readJsonObject } from './lib/json.ts'

// Prints what a vitest JSON report counts, for .ci/run: each failed test with its messages, a line for each skipped test,
// then `passed failed skipped`.
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

/** The messages of failures are cut here: .ci/run prints them among everything else. */
const MAX_MESSAGE = 600

function printFailure(name: string, messages: readonly unknown[]): void {
  console.log(`failed: ${name}`)
  for (const message of messages) {
    for (const line of String(message).slice(0, MAX_MESSAGE).split('\n')) console.log(`  | ${line}`)
  }
}

const suites = Array.isArray(report.testResults) ? report.testResults.filter(isRecord) : []
for (const suite of suites) {
  const file = relative(process.cwd(), String(suite.name))
  const tests = Array.isArray(suite.assertionResults) ? suite.assertionResults.filter(isRecord) : []
  const failures = tests.filter((test) => test.status === 'failed')
  for (const { fullName, failureMessages } of failures) {
    printFailure(`${file} > ${String(fullName)}`, Array.isArray(failureMessages) ? failureMessages : [])
  }
  // A file that cannot be loaded, or whose hooks fail.
  if (suite.status === 'failed' && failures.length === 0) printFailure(file, [suite.message])
}
for (const test of suites.flatMap((suite) => suite.assertionResults)) {
  if (isRecord(test) && !['passed', 'failed'].includes(String(test.status)))
    console.log(`skipped: ${String(test.fullName)}`)
}
console.log(`${passed} ${failed} ${skipped}`)
