import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildNative, crateChecks, hasCargo, outputOf, packageDir } from './native-build.ts'
import { hasSanitizer, sanitizerEnv } from './sanitizer.ts'

// The long form of what `pnpm test` does in seconds: the crate's own checks, then a load of all kinds of rows, workers and
// collections, with and without AddressSanitizer. Usage: pnpm --filter @asherah/native-ffi test:native [--seconds 60]

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } })
if (!hasCargo()) throw new Error('cargo is not installed: nothing can be tested')

function run(name: string, command: string, args: readonly string[], cwd: string, env = {}): void {
  const { status, signal } = spawnSync(command, args, { cwd, env: { ...process.env, ...env }, stdio: 'inherit' })
  console.log(`${name}: ${status === 0 ? 'ok' : `failed (${status ?? signal})`}`)
  if (status !== 0) process.exitCode = 1
}
const runChild = (name: string, file: string, args: readonly string[], env = {}): void => {
  const node = ['--conditions=asherah-source', '--no-warnings', join('test/children', file), ...args]
  run(name, process.execPath, node, packageDir, env)
}

for (const { name, args } of crateChecks) run(name, 'cargo', args, join(packageDir, 'crate'))
buildNative()
runChild('load', 'stress.ts', [values.seconds])

const env = sanitizerEnv()
if (env === undefined || !hasSanitizer) {
  console.log('AddressSanitizer: not on this system')
} else {
  buildNative('asan')
  runChild('wrong arguments, sanitized', 'hostile.ts', [outputOf('asan')], env)
  runChild('hostile records, sanitized', 'hostile-rows.ts', [], env)
  runChild('load, sanitized', 'stress.ts', [values.seconds], env)
}
