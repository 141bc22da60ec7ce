import { checkKnownOptions } from '@asherah/core/backend'
import type { NativeModule } from './binding.ts'
import { type Attempt, loadNative, type NativeSource } from './loader.ts'
import { checkPath, modeOf } from './options.ts'
import { type PlatformName, platformName } from './platform.ts'

/** What the native code keeps and how it is protected, for every provider of this thread. */
export interface NativeMemory {
  /** Open providers. */
  readonly providers: number
  /** Open keys. */
  readonly keys: number
  /** The most open keys of any provider so far. */
  readonly mostKeys: number
  /** Open keys that are encrypted in ordinary memory, since no more could be locked. */
  readonly encryptedKeys: number
  /** Bytes that this library has locked, in every thread of the process. */
  readonly lockedBytes: number
  /** The most that it ever had. */
  readonly mostLockedBytes: number
  /** How much this process may lock, in bytes; `Infinity`: there is no limit. */
  readonly limitBytes: number
  /** Keys cannot be swapped to disk. */
  readonly locked: boolean
  /** The system's own count confirms that. */
  readonly lockVerified: boolean
  /** Keys are in no core dump. */
  readonly excludedFromDumps: boolean
  /** A forked child has no keys. */
  readonly keptFromChildren: boolean
  /** No canary was overwritten. */
  readonly intact: boolean
}

/** What {@link nativeStatus} gives. */
export interface NativeStatus {
  /** True: `createNativeCrypto` of the same path would use the native code. */
  readonly available: boolean
  readonly platform: PlatformName
  /** The binary's version, which is this package's. */
  readonly version: string | undefined
  readonly source: NativeSource | undefined
  /** The binary's file. */
  readonly path: string | undefined
  /** Every place that was tried, in order. Empty when the environment says `ASHERAH_NATIVE=off`. */
  readonly attempts: readonly Attempt[]
  /** Undefined when the native code is not available. */
  readonly memory: NativeMemory | undefined
}

/** Options of {@link nativeStatus}. */
export interface NativeStatusOptions {
  /** As in `createNativeCrypto`. */
  readonly path?: string
}

/**
 * Tells which native binary is used, where it was looked for, and what it keeps in memory. Loads it if that was not done.
 *
 * @throws InvalidConfigError for an unknown option, or a wrong `ASHERAH_NATIVE` in the environment.
 * @example
 * const { available, attempts } = nativeStatus()
 * if (!available) console.log(attempts)
 */
export function nativeStatus(options: NativeStatusOptions = {}): NativeStatus {
  checkKnownOptions('nativeStatus', options, ['path'])
  checkPath(options.path)
  if (modeOf(process.env) === 'off') {
    const nothing = { version: undefined, source: undefined, path: undefined, memory: undefined }
    return { available: false, platform: platformName(), attempts: [], ...nothing }
  }
  const { platform, attempts, loaded } = loadNative(options.path, process.env)
  return {
    available: loaded !== undefined,
    platform,
    version: loaded?.native.version,
    source: loaded?.source,
    path: loaded?.path,
    attempts,
    memory: loaded === undefined ? undefined : memoryOf(loaded.native),
  }
}

function memoryOf(native: NativeModule): NativeMemory {
  const counts = native.memory()
  return {
    providers: counts.providers,
    keys: counts.keys,
    mostKeys: counts.mostKeys,
    encryptedKeys: counts.sealedKeys,
    lockedBytes: counts.lockedBytes,
    mostLockedBytes: counts.mostLockedBytes,
    limitBytes: counts.limitBytes < 0 ? Number.POSITIVE_INFINITY : counts.limitBytes,
    locked: counts.locked === 1,
    lockVerified: counts.lockVerified === 1,
    excludedFromDumps: counts.outOfDumps === 1,
    keptFromChildren: counts.keptFromChildren === 1,
    intact: counts.intact === 1,
  }
}
