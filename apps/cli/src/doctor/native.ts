import { AsherahError } from '@asherah/core'
import type { NativeStatus } from '@asherah/native-ffi'

/** One line on the native path. */
export interface NativeFinding {
  readonly level: 'pass' | 'warn'
  /** `binary`: whether there is one. `tried`: a place where none was found. */
  readonly check: 'binary' | 'tried'
  readonly message: string
}

/** Whether the native path can be used here. Nothing fails without it: it is optional. */
export interface NativeReport {
  readonly available: boolean
  readonly findings: readonly NativeFinding[]
  /** Undefined when even the status cannot be had. Without its `memory`: while there are no keys, that proves nothing. */
  readonly status?: Omit<NativeStatus, 'memory'>
}

/** Reports on the native path; `read` is `nativeStatus` of `@asherah/native-ffi`. */
export function inspectNative(read: () => NativeStatus): NativeReport {
  let status: NativeStatus
  try {
    status = read()
  } catch (error) {
    // A wrong ASHERAH_NATIVE in the environment: what else is wrong here should be told all the same.
    if (error instanceof AsherahError) return { available: false, findings: [warning('binary', error.message)] }
    throw error
  }
  const { memory: _, ...rest } = status
  return { available: status.available, findings: findingsOf(status), status: rest }
}

function findingsOf(status: NativeStatus): NativeFinding[] {
  const { available, platform, version, source, path, attempts } = status
  if (available) {
    const message = `version ${version} for ${platform} can be loaded (${source}): ${path}`
    return [{ level: 'pass', check: 'binary', message }]
  }
  if (attempts.length === 0) return [warning('binary', 'not looked for, as ASHERAH_NATIVE=off says')]
  return [
    warning('binary', `none for ${platform} can be loaded; it is optional: the TypeScript path works without it`),
    ...attempts.map(({ source: from, place, problem }) =>
      warning('tried', `${from} ${place}: ${problem ?? 'it is used'}`),
    ),
  ]
}

function warning(check: NativeFinding['check'], message: string): NativeFinding {
  return { level: 'warn', check, message }
}
