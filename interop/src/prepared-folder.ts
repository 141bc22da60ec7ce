import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The folder of this user for things that can be made again, in `asherah-interop`. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'asherah-interop')
  if (process.platform === 'win32') return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'asherah-interop')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'asherah-interop')
  return join(homedir(), '.cache', 'asherah-interop')
}

/**
 * A folder of the user's cache that `fill` filled once, for all later runs with the same `inputs`.
 *
 * The folder appears by one rename after `fill` has ended, so a run that was killed leaves none half made, and two runs
 * at once do no harm.
 *
 * @param inputs everything that the content depends on: any change makes another folder.
 * @throws whatever `fill` throws; the next run tries again.
 */
export async function preparedFolder(
  name: string,
  inputs: readonly string[],
  fill: (folder: string) => Promise<void>,
): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(inputs)).digest('hex').slice(0, 16)
  const parent = cacheFolder()
  const folder = join(parent, `${name}-${hash}`)
  if (existsSync(folder)) return folder

  mkdirSync(parent, { recursive: true })
  const draft = mkdtempSync(join(parent, `${name}-draft-`))
  try {
    await fill(draft)
    renameSync(draft, folder)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    // Another run may have finished first: its folder is as good as this one.
    if (!existsSync(folder)) throw error
  }
  return folder
}
