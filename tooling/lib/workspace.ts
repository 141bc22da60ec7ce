import { globSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isRecord, readJsonObject, recordAt } from './json.ts'

/** The folder of the whole workspace. */
export const workspaceRoot: string = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')

/** One folder of `packages/` or `apps/`. */
export interface WorkspacePackage {
  /** The npm name. */
  readonly name: string
  /** The folder from the workspace's root, with `/`: `packages/core`. */
  readonly path: string
  /** The folder's absolute path. */
  readonly dir: string
  /** True when it is never published. */
  readonly private: boolean
  readonly manifest: Readonly<Record<string, unknown>>
}

/** One public entry of a package. */
export interface Door {
  /** The key in `exports`: `.` or `./backend`. */
  readonly subpath: string
  /** What a user writes: `@asherah/core/backend`. */
  readonly specifier: string
  /** The built declarations, from the package's folder. */
  readonly types: string
}

/** Every package of `packages/*` and `apps/*` that has a package.json, by path. */
export function workspacePackages(root: string = workspaceRoot): WorkspacePackage[] {
  return globSync('{packages,apps}/*/package.json', { cwd: root })
    .map((file) => dirname(file).split(sep).join('/'))
    .sort()
    .map((path) => {
      const dir = join(root, path)
      const manifest = readJsonObject(join(dir, 'package.json'))
      const { name } = manifest
      if (typeof name !== 'string') throw new Error(`${path}/package.json: no name`)
      return { name, path, dir, private: manifest.private === true, manifest }
    })
}

/** The packages that `pnpm publish` would publish. */
export function publicPackages(root: string = workspaceRoot): WorkspacePackage[] {
  return workspacePackages(root).filter((found) => !found.private)
}

/** The entries that users import, from the exports map that is published. */
export function doorsOf(found: WorkspacePackage): Door[] {
  const exportsMap = recordAt(recordAt(found.manifest, 'publishConfig'), 'exports')
  return Object.entries(exportsMap).flatMap(([subpath, target]) => {
    if (!isRecord(target) || typeof target.types !== 'string') return []
    return [{ subpath, specifier: found.name + subpath.slice(1), types: target.types }]
  })
}
