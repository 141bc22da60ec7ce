import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { crateChecks, hasCargo, packageDir } from './native-build.ts'

// Checks the crate: format, clippy, tests and properties. Usage: pnpm --filter @asherah/native-ffi test:native

if (hasCargo()) {
  for (const { name, args } of crateChecks) {
    const { status } = spawnSync('cargo', args, { cwd: join(packageDir, 'crate'), stdio: 'inherit' })
    console.log(`${name}: ${status === 0 ? 'ok' : 'failed'}`)
    if (status !== 0) process.exitCode = 1
  }
} else {
  console.error('cargo is not installed: nothing was tested')
  process.exitCode = 1
}
