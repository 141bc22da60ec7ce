import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { platformName } from '../src/platform.ts'
import { outputOf } from './native-build.ts'

/** True where {@link sanitizerEnv} must find something: there is no other platform with one. */
export const hasSanitizer: boolean = platformName() === 'linux-x64-gnu'

/** What Node must be started with to load the `asan` build by itself. Undefined: the C compiler has no runtime for it. */
export function sanitizerEnv(): Readonly<Record<string, string>> | undefined {
  const question = ['-print-file-name=libasan.so']
  const runtime = spawnSync(process.env.CC ?? 'cc', question, { encoding: 'utf8' }).stdout?.trim() ?? ''
  if (!existsSync(runtime)) return undefined
  return {
    LD_PRELOAD: runtime,
    // Node gives nothing back at its end, which is no leak.
    ASAN_OPTIONS: 'detect_leaks=0',
    // The sanitizer makes mlock do nothing, which the native code notices.
    TEST_ALLOW_UNLOCKED: '1',
    ASHERAH_NATIVE_PATH: outputOf('asan'),
  }
}
