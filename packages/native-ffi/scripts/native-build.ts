import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { binaryName, type PlatformName, platformName } from '../src/platform.ts'
import { sbomOf } from './sbom.ts'

/** The folder of this package. */
export const packageDir: string = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')
const crateDir = join(packageDir, 'crate')

/** Rust's names for our platforms. */
export const TARGETS: Readonly<Record<string, PlatformName>> = {
  'x86_64-unknown-linux-gnu': 'linux-x64-gnu',
  'x86_64-unknown-linux-musl': 'linux-x64-musl',
  'aarch64-unknown-linux-gnu': 'linux-arm64-gnu',
  'aarch64-unknown-linux-musl': 'linux-arm64-musl',
  'x86_64-apple-darwin': 'darwin-x64',
  'aarch64-apple-darwin': 'darwin-arm64',
  'x86_64-pc-windows-msvc': 'win32-x64-msvc',
  'aarch64-pc-windows-msvc': 'win32-arm64-msvc',
}

/** The file name of the bill of materials in a platform package. */
export const SBOM_FILE = 'sbom.cdx.json'

/**
 * `release`: what is published. For tests, under names of their own: `test-hooks` has functions that break things on purpose,
 * and checked arithmetic; `asan` has AddressSanitizer too, and runs in a Node that was started with its runtime preloaded.
 */
export type BuildVariant = 'release' | 'test-hooks' | 'asan'

/** What holds for the crate's sources, each by one run of cargo. */
export const crateChecks: readonly { readonly name: string; readonly args: readonly string[] }[] = [
  { name: 'format', args: ['fmt', '--check'] },
  { name: 'clippy', args: ['clippy', '--locked', '--features', 'test-hooks', '--', '--deny', 'warnings'] },
  { name: 'tests and properties', args: ['test', '--locked'] },
]

/** True where cargo can be run. */
export function hasCargo(): boolean {
  return spawnSync('cargo', ['--version'], { stdio: 'ignore' }).status === 0
}

/** Where this platform's build is, whether it has been built or not: in `native/`, where the loader finds a release by itself. */
export function outputOf(variant: BuildVariant = 'release'): string {
  const name = binaryName(platformName())
  return join(packageDir, 'native', variant === 'release' ? name : name.replace(/\.node$/, `.${variant}.node`))
}

/** True when the build is there and was made of the sources as they are now. */
export function isUpToDate(variant: BuildVariant = 'release'): boolean {
  const output = outputOf(variant)
  const stamp = `${output}.sources`
  return existsSync(output) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sourcesDigest()
}

/** Builds for this platform. @returns the binary's path. @throws when cargo fails. */
export function buildNative(variant: BuildVariant = 'release'): string {
  const output = outputOf(variant)
  const digest = sourcesDigest()
  put(cargoBuild(ARGS[variant](), variant === 'asan' ? ASAN_ENV : {}), output)
  writeFileSync(`${output}.sources`, digest)
  return output
}

/** Builds for one of {@link TARGETS}, to that platform's folder in `npm/`, with the bill of materials. As {@link buildNative}. */
export function buildForRelease(target: string): string {
  const platform = TARGETS[target]
  if (platform === undefined) {
    throw new Error(`no package is made for ${target}: known are ${Object.keys(TARGETS).join(', ')}`)
  }
  const folder = join(packageDir, 'npm', platform)
  const output = join(folder, binaryName(platform))
  put(cargoBuild([...ARGS.release(), '--target', target]), output)
  const component = { name: `@asherah/native-ffi-${platform}`, version: version() }
  writeFileSync(join(folder, SBOM_FILE), sbomOf(crateDir, target, component))
  return output
}

/** Each variant in another folder of cargo's: builds at the same time do not take one another's library. */
const ARGS: Readonly<Record<BuildVariant, () => readonly string[]>> = {
  release: () => ['--release', ...reproducible()],
  // The profile of the crate's own tests, which share its dependencies.
  'test-hooks': () => ['--features', 'test-hooks'],
  asan: () => ['--features', 'test-hooks', '--target', 'x86_64-unknown-linux-gnu'],
}

/** Stable Rust has the sanitizer, behind a flag that it takes only when it is told to. */
const ASAN_ENV = { RUSTC_BOOTSTRAP: '1', RUSTFLAGS: '-Zsanitizer=address' }

/** Output for people goes to the terminal. @returns the library that was made. */
function cargoBuild(options: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const args = ['build', '--locked', '--message-format=json-render-diagnostics', ...options]
  const { status, stdout, error } = spawnSync('cargo', args, {
    cwd: crateDir,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status !== 0) throw new Error(`cargo ${args.join(' ')} failed${error === undefined ? '' : `: ${error.message}`}`)
  return libraryIn(stdout)
}

/** Renamed, and under a name of this process's own: nobody may write to a file that another process has loaded. */
function put(library: string, output: string): void {
  const draft = `${output}.${process.pid}.new`
  mkdirSync(dirname(output), { recursive: true })
  copyFileSync(library, draft)
  renameSync(draft, output)
}

/** The same bytes wherever the sources and cargo's folder are. */
function reproducible(): string[] {
  const cargoHome = process.env.CARGO_HOME ?? join(homedir(), '.cargo')
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
  const hash = createHash('sha256').update(version())
  for (const file of files.map((name) => name.split(sep).join('/')).sort()) {
    hash.update(`\n${file}\n`).update(readFileSync(join(packageDir, file)))
  }
  return hash.digest('hex')
}

/** This package's, which the crate takes as its own. */
function version(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(packageDir, 'package.json'), 'utf8'))
  return String(typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : undefined)
}
