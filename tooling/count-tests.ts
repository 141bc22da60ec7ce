import { existsSync } from 'node:fs'
import { relative } from 'node:path'
import { isRecord, readJsonObject } from './lib/json.ts'

// Prints what vitest JSON reports count, for .ci/run: each failed test with its messages, a line for each skipped test, then
// `passed failed skipped`. A file that is in several reports counts as in the last one.
// Usage: node tooling/count-tests.ts EXIT-STATUS report.json…

/** The messages of failures are cut here: .ci/run prints them among everything else. */
const MAX_MESSAGE = 600

const [exitStatus = '', ...reports] = process.argv.slice(2)
const suites = new Map<string, Record<string, unknown>>()
for (const report of reports) {
  const { testResults } = existsSync(report) ? readJsonObject(report) : {}
  for (const suite of Array.isArray(testResults) ? testResults.filter(isRecord) : []) {
    suites.set(relative(process.cwd(), String(suite.name)), suite)
  }
}

function printFailure(name: string, messages: readonly unknown[]): void {
  console.log(`failed: ${name}`)
  for (const message of messages) {
    for (const line of String(message).slice(0, MAX_MESSAGE).split('\n')) console.log(`  | ${line}`)
  }
}

const counts = { passed: 0, failed: 0, skipped: 0 }
const skippedTests: string[] = []
for (const [file, suite] of suites) {
  const tests = Array.isArray(suite.assertionResults) ? suite.assertionResults.filter(isRecord) : []
  for (const { status, fullName, failureMessages } of tests) {
    if (status === 'passed') counts.passed += 1
    else if (status === 'failed') {
      counts.failed += 1
      printFailure(`${file} > ${String(fullName)}`, Array.isArray(failureMessages) ? failureMessages : [])
    } else {
      counts.skipped += 1
      skippedTests.push(String(fullName))
    }
  }
  // A file that cannot be loaded, or whose hooks fail.
  if (suite.status === 'failed' && !tests.some(({ status }) => status === 'failed')) printFailure(file, [suite.message])
}
for (const name of skippedTests) console.log(`skipped: ${name}`)
// A run that fails without a failing test (a file that cannot be loaded, an unhandled error, no report) is one failure.
const failed = Math.max(counts.failed, exitStatus === '0' && counts.passed > 0 ? 0 : 1)
console.log(`${counts.passed} ${failed} ${counts.skipped}`)
