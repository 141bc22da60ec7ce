import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ConfigFinding } from '@asherah/config'

/** Packages that read a library's config and load its backends; `asherah` is the alias of the first. */
const hosts = ['asherah', '@asherah/asherah', '@asherah/config', '@asherah/compat']
const newPackage = '@asherah/asherah'

/**
 * Whether a program in a folder finds the packages that its config needs.
 *
 * @param wanted Names of packages.
 * @param folder Where the program's package.json is.
 * @returns a finding for each, or one that tells what to install first. None is a `fail`: that is of the folder, not of the config.
 */
export function packageFindings(wanted: readonly string[], folder: string): readonly ConfigFinding[] {
  const installed = hosts.flatMap((name) => {
    const place = folderOf(name, folder)
    return place === undefined ? [] : [{ name, place }]
  })
  const old = installed.find(({ name, place }) => name === 'asherah' && nameIn(place) !== newPackage)
  if (old !== undefined) return [warning('asherah is still the old package in this folder', installLine)]
  if (installed.length === 0) return [warning(`${newPackage} is not installed in this folder`, installLine)]
  const places = [folder, ...installed.map(({ place }) => place)]
  return wanted.map((name) => {
    if (places.some((place) => folderOf(name, place) !== undefined)) {
      return { level: 'pass', check: 'packages', message: `${name} is installed` }
    }
    return warning(`${name} is not installed`, `npm install ${name}`)
  })
}

const installLine = `npm install asherah@npm:${newPackage}@^1`

function warning(what: string, line: string): ConfigFinding {
  return { level: 'warn', check: 'packages', message: `${what}: ${line}` }
}

/** Where Node finds a package from a folder; undefined: nowhere. Nothing of it is loaded. */
function folderOf(name: string, from: string): string | undefined {
  const place = join(from, 'node_modules', name)
  if (existsSync(join(place, 'package.json'))) return realpathSync(place)
  const parent = dirname(from)
  return parent === from ? undefined : folderOf(name, parent)
}

function nameIn(place: string): unknown {
  try {
    return Object(JSON.parse(readFileSync(join(place, 'package.json'), 'utf8'))).name
  } catch {
    return undefined
  }
}
