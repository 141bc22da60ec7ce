import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  SEEDED_MASTER_KEY,
  SEEDED_MASTER_KEY_HEX,
  SEEDED_PLAINTEXT,
} from '../../packages/testing/src/seeded-markers.ts'
import { findMarkers, markerLines } from '../leak-scan/find-markers.ts'
import { isRecord, readJsonObject } from '../lib/json.ts'
import { workspaceRoot } from '../lib/workspace.ts'

const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs')

/** Runs the tests that leak; gives each name with its failures. No output of it: the leaks would be in ours. */
function runLeakingTests(): { readonly text: string; readonly results: ReadonlyMap<string, string> } {
  const folder = mkdtempSync(join(tmpdir(), 'leak-scan-'))
  try {
    const report = join(folder, 'report.json')
    const config = join(workspaceRoot, 'tooling/leak-scan/vitest.config.ts')
    const args = ['run', '--config', config, '--reporter=json', `--outputFile.json=${report}`]
    const { status } = spawnSync(process.execPath, [vitest, ...args], { cwd: workspaceRoot, stdio: 'ignore' })
    expect(status).toBe(1)
    const { testResults } = readJsonObject(report)
    const [file] = Array.isArray(testResults) ? testResults.filter(isRecord) : []
    const tests = Array.isArray(file?.assertionResults) ? file.assertionResults.filter(isRecord) : []
    const results = new Map(tests.map(({ title, failureMessages }) => [String(title), String(failureMessages)]))
    return { text: readFileSync(report, 'utf8'), results }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('D-117 the scan of the suite', () => {
  it('fails each test that shows a seeded secret, naming it and not showing it', () => {
    const { text, results } = runLeakingTests()
    expect(results.get('none')).toBe('')
    expect(results.size).toBe(15)
    for (const [name, failures] of results) {
      if (name !== 'none') expect(failures.replace(/ made at .*/g, '')).toContain(name)
    }
    for (const marker of markerLines) expect(text.includes(marker)).toBe(false)
  })

  it('knows each marker in every form that Node prints', () => {
    const key = Buffer.from(SEEDED_MASTER_KEY)
    const forms: readonly [string, string, string][] = [
      ['upper-case hex', SEEDED_MASTER_KEY_HEX.toUpperCase(), 'static master key'],
      ['a Buffer', `<Buffer ${key.toString('hex').replace(/..(?=.)/g, '$& ')}>`, 'static master key'],
      ['a Uint8Array', `[\n  ${[...key].join(',\n  ')}\n]`, 'static master key'],
      ['base64url', key.toString('base64url'), 'static master key'],
      ['base64 of the plaintext and more', btoa(`${SEEDED_PLAINTEXT} and more`), 'encoded plaintext'],
      ['an ARN', 'arn:aws-cn:iam::000000000000:user/x', 'account in an ARN'],
    ]
    for (const [form, text, name] of forms) expect([form, findMarkers(`<<${text}>>`)]).toEqual([form, [name]])
    for (const marker of markerLines) expect(findMarkers(`<<${marker}>>`)).toHaveLength(1)
    expect(findMarkers('arn:aws:kms:us-west-2:[redacted]:key/1, 4b7, <Buffer 73 65>, account 123456789012')).toEqual([])
  })
})
