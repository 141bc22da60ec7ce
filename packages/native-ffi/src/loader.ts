import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isNativeModule, type NativeModule } from './binding.ts'
import { binaryName, PLATFORMS, type PlatformName, platformName } from './platform.ts'

/** Where a native binary came from, or was looked for. */
export type NativeSource = 'option path' | 'ASHERAH_NATIVE_PATH' | 'workspace build' | 'platform package'

/** One place that was tried. */
export interface Attempt {
  readonly source: NativeSource
  /** The file, or the package's name. */
  readonly place: string
  /** Why it is not used; undefined: it is. */
  readonly problem: string | undefined
}

/** How looking for a native binary went. */
export interface LoadResult {
  readonly platform: PlatformName
  readonly attempts: readonly Attempt[]
  /** Undefined: there is none. */
  readonly loaded: { readonly native: NativeModule; readonly source: NativeSource; readonly path: string } | undefined
}

/** The environment variable that names a binary. */
export const PATH_VARIABLE = 'ASHERAH_NATIVE_PATH'

/** The same two steps up from `src/` and from `dist/`. */
const packageUrl = new URL('../package.json', import.meta.url)

/** One load for each binary and environment: a second one of the same file would have a state of its own. */
const results = new Map<string, LoadResult>()

/**
 * Looks for a native binary: the given path, else `ASHERAH_NATIVE_PATH`, else a build in this workspace, else the platform's
 * package. A path that is given and cannot be used is not passed over for another place.
 */
export function loadNative(path: string | undefined, env: NodeJS.ProcessEnv): LoadResult {
  const variable = env[PATH_VARIABLE]
  const [source, given]: [NativeSource, string | undefined] =
    path === undefined ? ['ASHERAH_NATIVE_PATH', variable === '' ? undefined : variable] : ['option path', path]
  const key = given === undefined ? '' : `${source}:${resolve(given)}`
  const known = results.get(key)
  if (known !== undefined) return known
  const platform = platformName()
  const attempts: Attempt[] = []
  const loaded = given === undefined ? loadInstalled(platform, attempts) : tryFile(source, resolve(given), attempts)
  const result: LoadResult = { platform, attempts, loaded }
  results.set(key, result)
  return result
}

/** This package's version, which a binary must have too. @throws when package.json cannot be read. */
function packageVersion(): string {
  return versionIn(fileURLToPath(packageUrl))
}

function loadInstalled(platform: PlatformName, attempts: Attempt[]): LoadResult['loaded'] {
  const built = fileURLToPath(new URL(`../native/${binaryName(platform)}`, import.meta.url))
  if (existsSync(built)) {
    const loaded = tryFile('workspace build', built, attempts)
    if (loaded !== undefined) return loaded
  } else {
    attempts.push({ source: 'workspace build', place: built, problem: 'there is no such file' })
  }
  const name = `@asherah/native-ffi-${platform}`
  const failed = (problem: string): undefined => {
    attempts.push({ source: 'platform package', place: name, problem })
  }
  if (!PLATFORMS.includes(platform)) return failed('no package is made for this platform')
  let manifest: string
  try {
    manifest = createRequire(import.meta.url).resolve(`${name}/package.json`)
  } catch {
    return failed('it is not installed: optional dependencies were left out, or node_modules is from another platform')
  }
  const problem = versionProblem(versionOf(() => versionIn(manifest)))
  if (problem !== undefined) return failed(problem)
  return tryFile('platform package', join(dirname(manifest), binaryName(platform)), attempts)
}

function tryFile(source: NativeSource, path: string, attempts: Attempt[]): LoadResult['loaded'] {
  const failed = (problem: string): undefined => {
    attempts.push({ source, place: path, problem })
  }
  if (!existsSync(path)) return failed('there is no such file')
  const holder: { exports: unknown } = { exports: {} }
  try {
    // Not require: a file of another ending would be run as JavaScript.
    process.dlopen(holder, path)
  } catch (error) {
    return failed(`it cannot be loaded: ${error instanceof Error ? error.message : String(error)}`)
  }
  const native = holder.exports
  if (!isNativeModule(native)) return failed('it is not a binary of @asherah/native-ffi')
  const problem = versionProblem(native.version)
  if (problem !== undefined) return failed(problem)
  attempts.push({ source, place: path, problem: undefined })
  return { native, source, path }
}

function versionProblem(version: string | undefined): string | undefined {
  const wanted = versionOf(packageVersion)
  if (version !== undefined && version === wanted) return undefined
  return `its version is ${version ?? 'unknown'}, and this package's is ${wanted ?? 'unknown'}: install the same of both`
}

function versionOf(read: () => string): string | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}

function versionIn(manifest: string): string {
  const parsed: unknown = JSON.parse(readFileSync(manifest, 'utf8'))
  const version: unknown = typeof parsed === 'object' && parsed !== null ? Reflect.get(parsed, 'version') : undefined
  if (typeof version !== 'string') throw new Error(`${manifest} has no version`)
  return version
}
