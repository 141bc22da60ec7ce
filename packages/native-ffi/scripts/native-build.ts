import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { binaryName, type PlatformName, platformName } from '../src/platform.ts'

/** The folder of this package. */
export const packageDir: string = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')

/** Rust's names for our platforms. */
const TARGETS: Readonly<Record<string, PlatformName>> = {
  'x86_64-unknown-linux-gnu': 'linux-x64-gnu',
  'x86_64-unknown-linux-musl': 'linux-x64-musl',
  'aarch64-unknown-linux-gnu': 'linux-arm64-gnu',
  'aarch64-unknown-linux-musl': 'linux-arm64-musl',
  'x86_64-apple-darwin': 'darwin-x64',
  'aarch64-apple-darwin': 'darwin-arm64',
  'x86_64-pc-windows-msvc': 'win32-x64-msvc',
  'aarch64-pc-windows-msvc': 'win32-arm64-msvc',
}

/** What to build. */
export interface BuildRequest {
  /** Rust's name of another platform: the binary goes to that platform's folder in `npm/`. Default: this one, to `native/`. */
  readonly target?: string
  /** With functions that break things on purpose, under another name: for tests. */
  readonly testHooks?: boolean
}

/** True where cargo can be run. */
export function hasCargo(): boolean {
  return spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status === 0
}

/** Where a build's result is, whether it has been built or not. */
export function outputOf({ target, testHooks = false }: BuildRequest): string {
  if (target === undefined) {
    const name = binaryName(platformName())
    return join(packageDir, 'native', testHooks ? name.replace(/\.node$/, '.test-hooks.node') : name)
  }
  const platform = TARGETS[target]
  if (platform === undefined)
    throw new Error(`no package is made for ${target}: known are ${Object.keys(TARGETS).join(', ')}`)
  return join(packageDir, 'npm', platform, binaryName(platform))
}

/** True when the result is there and was made of the sources as they are now. */
export function isUpToDate(request: BuildRequest): boolean {
  const output = outputOf(request)
  const stamp = `${output}.sources`
  return existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sourcesDigest()
}

/** Builds with cargo, whose output goes to the terminal. @returns the binary's path. @throws when cargo fails. */
export function buildNative(request: BuildRequest): string {
  const { target, testHooks = false } = request
  const output = outputOf(request)
  const digest = sourcesDigest()
  const args = ['build', '--release', '--locked', '--message-format=json-render-diagnostics', ...reproducible()]
  if (target !== undefined) args.push('--target', target)
  if (testHooks) args.push('--features', 'test-hooks')
  const { status, stdout, error } = spawnSync('cargo', args, {
    cwd: join(packageDir, 'crate'),
    env: { ...process.env, SOURCE_DATE_EPOCH: process.env.SOURCE_DATE_EPOCH ?? '0' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status !== 0) throw new Error(`cargo ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`)
  mkdirSync(join(output, '..'), { recursive: true })
  // Renamed, so that a process that has the old binary loaded keeps it whole.
  copyFileSync(libraryIn(stdout), `${output}.new`)
  renameSync(`${output}.new`, output)
  if (target === undefined) writeFileSync(`${output}.sources`, digest)
  return output
}

/** The same bytes wherever the sources and cargo's folder are. */
function reproducible(): string[] {
  const cargoHome = process.env.CARGO_HOME ?? join(process.env.HOME ?? process.env.USERPROFILE ?? '', '.cargo')
  const flags = [`--remap-path-prefix=${cargoHome}=/cargo`, `--remap-path-prefix=${packageDir}=/native-ffi`]
  // Of a target: those of `build` or RUSTFLAGS would take the place of what .cargo/config.toml says.
  return ['--config', `target."cfg(all())".rustflags=${JSON.stringify(flags)}`]
}

/** The library that cargo says it has made. */
function libraryIn(messages: string): string {
  for (const line of messages.split('\n').reverse()) {
    if (!line.includes('"compiler-artifact"')) continue
    const message: unknown = JSON.parse(line)
    if (typeof message !== 'object' || message === null || !('filenames' in message)) continue
    const files: unknown[] = Array.isArray(message.filenames) ? message.filenames : []
    const library = files.find((file) => typeof file === 'string' && /asherah_native\.(so|dylib|dll)$/.test(file))
    if (typeof library === 'string') return library
  }
  throw new Error('cargo names no library among its results')
}

function sourcesDigest(): string {
  const files = globSync('crate/{Cargo.toml,Cargo.lock,build.rs,.cargo/config.toml,src/**/*.rs}', { cwd: packageDir })
  const hash = createHash('sha256')
  const manifest: unknown = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8'))
  const version: unknown =
    typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : undefined
  hash.update(String(version))
  for (const file of files.map((name) => name.split(sep).join('/')).sort()) {
    hash.update(`\n${file}\n`).update(readFileSync(join(packageDir, file)))
  }
  return hash.digest('hex')
}
