/**
 * Packages that need a newer Node than this one, and which: what is in the `engines` of each. npm leaves an optional package
 * out where its engines do not fit, so there may be none to read.
 */
const NEEDED: Readonly<Record<string, string>> = {
  '@asherah/metastore-sqlite': '22.13',
  '@asherah/metastore-mssql': '22.13',
  '@asherah/metastore-oracle': '22.13',
}

/** The Node that a backend's package needs, when the one that runs is older: `22.13`. */
export function neededNode(name: string, running: string = process.versions.node): string | undefined {
  const needed = NEEDED[name]
  return needed !== undefined && isOlder(running, needed) ? needed : undefined
}

function isOlder(running: string, needed: string): boolean {
  const [major = 0, minor = 0] = running.split('.').map(Number)
  const [neededMajor = 0, neededMinor = 0] = needed.split('.').map(Number)
  return major < neededMajor || (major === neededMajor && minor < neededMinor)
}
