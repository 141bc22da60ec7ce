import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { platformName } from '../../src/platform.ts'
import { nativeBinary } from './native-build.ts'

/** A binary with AddressSanitizer, and the environment in which Node can load it. */
export interface Sanitized {
  readonly binary: string
  readonly env: Readonly<Record<string, string>>
}

/** Undefined where there is no cargo or no runtime of the sanitizer; loudly so, or as an error, on the platform that has one. */
export function sanitizedBinary(): Sanitized | undefined {
  if (platformName() !== 'linux-x64-gnu') return undefined
  const runtime = spawnSync('cc', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).stdout?.trim() ?? ''
  if (!existsSync(runtime)) {
    const reason = 'the C compiler has no libasan.so'
    if (process.env.ASHERAH_TEST_REQUIRE === 'all') throw new Error(`${reason}, and ASHERAH_TEST_REQUIRE is all`)
    console.warn(`SKIPPED: ${reason}`)
    return undefined
  }
  const binary = nativeBinary('asan')
  if (binary === undefined) return undefined
  // Node gives nothing back at its end, which is no leak.
  const env = { LD_PRELOAD: runtime, ASAN_OPTIONS: 'detect_leaks=0', TEST_ALLOW_UNLOCKED: '1' }
  return { binary, env: { ...env, ASHERAH_NATIVE_PATH: binary } }
}
