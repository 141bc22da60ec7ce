import { checkKnownOptions, InvalidConfigError, nearestName, type SecretFactory } from '@asherah/core/backend'

/** Whether the native code is used. */
export type NativeMode = 'auto' | 'required' | 'off'

/** Options of `createNativeCrypto`. */
export interface NativeCryptoOptions {
  /**
   * `auto` (default): the native code, or core's own where it cannot be loaded, with one `NATIVE_UNAVAILABLE` event on
   * `asherah:warning`. `required`: the native code or an error. `off`: core's own. `ASHERAH_NATIVE` in the environment,
   * `off` or `required`, wins over this.
   */
  readonly mode?: NativeMode
  /** A native binary to load instead of looking for one. Nothing else is tried. */
  readonly path?: string
  /**
   * When no more memory can be locked: `encrypt` (default) keeps further keys encrypted in ordinary memory, under a key that
   * is locked, with one `LOCK_LIMIT_REACHED` event for each provider on `asherah:warning`; `throw` is a `SecureMemoryError`.
   */
  readonly onLockLimit?: 'encrypt' | 'throw'
  /** Go on, with a `MEMORY_NOT_LOCKED` event, where not even one page can be locked: keys may be swapped. Default false. */
  readonly allowUnlocked?: boolean
  /** Draw random bytes from a generator that the system seeds every 8 KiB (default true), or from the system for each row. */
  readonly randomPool?: boolean
  /** Where core's own crypto keeps keys, when that is used. The caller's to close. Default: the heap. */
  readonly secrets?: SecretFactory
}

/** Options, checked, with their defaults. */
export interface NativeSettings {
  readonly mode: NativeMode
  readonly path: string | undefined
  readonly throwAtLimit: boolean
  readonly allowUnlocked: boolean
  readonly randomPool: boolean
  readonly secrets: SecretFactory | undefined
}

/** The environment variable that sets the mode. */
const MODE_VARIABLE = 'ASHERAH_NATIVE'

const KNOWN: readonly string[] = ['mode', 'path', 'onLockLimit', 'allowUnlocked', 'randomPool', 'secrets']
const MODES: readonly NativeMode[] = ['auto', 'required', 'off']
const LIMIT_RULES: readonly ('encrypt' | 'throw')[] = ['encrypt', 'throw']

/** @throws InvalidConfigError naming the option. */
export function checkOptions(options: NativeCryptoOptions, env: NodeJS.ProcessEnv): NativeSettings {
  checkKnownOptions('createNativeCrypto', options, KNOWN)
  const { mode = 'auto', onLockLimit = 'encrypt', allowUnlocked = false, randomPool = true, path, secrets } = options
  checkOneOf('option mode', mode, MODES)
  checkOneOf('option onLockLimit', onLockLimit, LIMIT_RULES)
  checkFlag('allowUnlocked', allowUnlocked)
  checkFlag('randomPool', randomPool)
  checkPath(path)
  return {
    mode: modeOf(env) ?? mode,
    path,
    throwAtLimit: onLockLimit === 'throw',
    allowUnlocked,
    randomPool,
    secrets,
  }
}

/** What the environment says; undefined: nothing. @throws InvalidConfigError */
export function modeOf(env: NodeJS.ProcessEnv): NativeMode | undefined {
  const value = env[MODE_VARIABLE]
  if (value === undefined || value === '') return undefined
  const mode = MODES.find((known) => known === value)
  if (mode === undefined) checkOneOf(`the environment variable ${MODE_VARIABLE}`, value, MODES)
  return mode
}

/** @throws InvalidConfigError */
export function checkPath(path: unknown): void {
  if (path === undefined || (typeof path === 'string' && path !== '')) return
  throw new InvalidConfigError(
    `option path is the path of a native binary, not ${typeof path === 'string' ? "''" : typeof path}`,
  )
}

function checkFlag(name: string, value: unknown): void {
  if (typeof value === 'boolean') return
  throw new InvalidConfigError(`option ${name} is true or false, not ${typeof value}`)
}

function checkOneOf(what: string, value: unknown, known: readonly string[]): void {
  if (typeof value === 'string' && known.includes(value)) return
  const allowed = known.map((name) => `'${name}'`).join(', ')
  const nearest = typeof value === 'string' ? nearestName(value, known) : undefined
  const shown = typeof value === 'string' ? JSON.stringify(value) : typeof value
  throw new InvalidConfigError(
    `${what} is one of ${allowed}, not ${shown}${nearest === undefined ? '' : `: did you mean '${nearest}'?`}`,
  )
}
