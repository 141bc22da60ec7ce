import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ciTool, installCiTools, nodeBinary, nodeMajors } from './lib/ci-tools.ts'
import { workspaceRoot } from './lib/workspace.ts'

// Runs the unit tests of core, kms-* and cache-* on other Node releases.
// Usage: pnpm test:matrix [20 22 24 26] [vitest options]   (no release: all four)

const args = process.argv.slice(2)
const named = nodeMajors.filter((major) => args.includes(major))
const options = args.filter((arg) => !named.some((major) => major === arg))

installCiTools()
for (const major of named.length === 0 ? nodeMajors : named) {
  const binary = nodeBinary(major)
  const config = join(workspaceRoot, 'tooling/ci-tools/vitest.config.ts')
  const version = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  if (version.status !== 0) throw new Error(`${binary} does not run: ${version.error?.message ?? version.stderr}`)
  console.log(`Node ${version.stdout.trim()}`)
  const { status } = spawnSync(binary, [ciTool('vitest/vitest.mjs'), 'run', '--config', config, ...options], {
    cwd: workspaceRoot,
    stdio: 'inherit',
  })
  if (status !== 0) process.exitCode = 1
}
