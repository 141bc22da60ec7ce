/** Where a binary is made for: `<os>-<cpu>[-<libc or toolchain>]`, as the platform packages are named. */
export type PlatformName = `${string}-${string}`

/** The platforms that have a package. */
export const PLATFORMS: readonly PlatformName[] = [
  'linux-x64-gnu',
  'linux-x64-musl',
  'linux-arm64-gnu',
  'linux-arm64-musl',
  'darwin-x64',
  'darwin-arm64',
  'win32-x64-msvc',
  'win32-arm64-msvc',
]

/** What this process runs on, whether it has a package or not. */
export function platformName(platform: string = process.platform, arch: string = process.arch): PlatformName {
  if (platform === 'linux') return `linux-${arch}-${isGlibc() ? 'gnu' : 'musl'}`
  if (platform === 'win32') return `win32-${arch}-msvc`
  return `${platform}-${arch}`
}

/** The file name of a platform's binary. */
export function binaryName(platform: PlatformName): string {
  return `asherah-native.${platform}.node`
}

function isGlibc(): boolean {
  const { report } = process
  // Without this, a report asks for the name of every peer of every open socket.
  const before: unknown = Reflect.get(report, 'excludeNetwork')
  Reflect.set(report, 'excludeNetwork', true)
  try {
    const made: unknown = report.getReport()
    const header: unknown = typeof made === 'object' && made !== null ? Reflect.get(made, 'header') : undefined
    return typeof header === 'object' && header !== null && 'glibcVersionRuntime' in header
  } finally {
    Reflect.set(report, 'excludeNetwork', before)
  }
}
