import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { binaryName, type PlatformName } from '../src/platform.ts'
import { packageDir, TARGETS } from './native-build.ts'

// Builds the binary of a platform package twice, from nothing, in two folders with two cargo homes, and compares the bytes.
// Usage: pnpm --filter @asherah/native-ffi check:reproducible --target TRIPLE

const { values } = parseArgs({ options: { target: { type: 'string' } } })
const { target = '' } = values
const platform: PlatformName | undefined = TARGETS[target]
if (platform === undefined) throw new Error(`--target is one of ${Object.keys(TARGETS).join(', ')}`)

const scratch = mkdtempSync(join(tmpdir(), 'asherah-reproducible-'))
const cargoHome = process.env.CARGO_HOME ?? join(homedir(), '.cargo')
try {
  const digests = ['a', 'another-folder/deeper'].map((name) => {
    const dir = join(scratch, name)
    for (const part of ['crate', 'scripts', 'src', 'package.json']) {
      const filter = (source: string): boolean => !source.startsWith(join(packageDir, 'crate', 'target'))
      cpSync(join(packageDir, part), join(dir, part), { recursive: true, filter })
    }
    // The same downloads under another name.
    const home = join(dir, 'cargo-home')
    mkdirSync(home)
    symlinkSync(join(cargoHome, 'registry'), join(home, 'registry'), 'junction')
    const { status } = spawnSync(process.execPath, ['scripts/build-native.ts', '--target', target], {
      cwd: dir,
      env: { ...process.env, CARGO_HOME: home },
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    if (status !== 0) throw new Error(`the build in ${dir} failed`)
    const digest = createHash('sha256')
      .update(readFileSync(join(dir, 'npm', platform, binaryName(platform))))
      .digest('hex')
    console.log(`${digest}  ${name}`)
    return digest
  })
  if (digests[0] !== digests[1]) throw new Error('the two builds differ')
  console.log('the two builds are the same')
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
