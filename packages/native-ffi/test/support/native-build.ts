import { type BuildVariant, buildNative, hasCargo, isUpToDate, outputOf } from '../../scripts/native-build.ts'

/**
 * Where the native code is or can be built: its binary's path, built if it is not up to date. Elsewhere undefined, which
 * skips tests loudly, or fails them when `ASHERAH_TEST_REQUIRE` is `all`.
 */
export function nativeBinary(variant: BuildVariant = 'release'): string | undefined {
  if (isUpToDate(variant)) return outputOf(variant)
  if (hasCargo()) return buildNative(variant)
  const reason = 'cargo is not installed, so the native code cannot be built'
  if (process.env.ASHERAH_TEST_REQUIRE === 'all') throw new Error(`${reason}, and ASHERAH_TEST_REQUIRE is all`)
  console.warn(`SKIPPED: ${reason}`)
  return undefined
}
