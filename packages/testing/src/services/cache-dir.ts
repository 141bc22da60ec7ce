import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Longer than any `fill`: after a restart of the machine, another process may have the number of a lock's owner. */
const MAX_FILL_MS = 1_800_000

/** The folder of this user for things that can be made again. */
function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, 'asherah-tests')
  if (process.platform === 'win32') return join(LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'asherah-tests')
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'asherah-tests')
  return join(homedir(), '.cache', 'asherah-tests')
}

/**
 * A folder of the user's cache that `fill` filled once, for all later runs with the same `inputs`.
 *
 * The folder appears by one rename after `fill` has ended, so a run that was killed leaves none half made; a second run
 * waits for the first instead of doing the same work. What `fill` writes must stand a rename of its folder.
 *
 * @param inputs Everything that the content depends on: any change makes another folder.
 * @throws Whatever `fill` throws; the next run tries again.
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
  const lock = `${folder}.lock`
  while (!takeLock(lock)) {
    await sleep(200)
    if (existsSync(folder)) return folder
  }
  const draft = mkdtempSync(join(parent, `${name}-draft-`))
  try {
    if (!existsSync(folder)) {
      await fill(draft)
      putInPlace(draft, folder)
    }
  } finally {
    rmSync(draft, { recursive: true, force: true })
    rmSync(lock, { force: true })
  }
  return folder
}

/** Two may fill at once: those that saw the lock of one process end both took it over. The first one's folder stays. */
function putInPlace(draft: string, folder: string): void {
  try {
    renameSync(draft, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
  }
}

/** True when this process holds the lock now; one whose owner has ended is taken away. */
function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error
  }
  if (ownerHasEnded(lock)) rmSync(lock, { force: true })
  return false
}

function ownerHasEnded(lock: string): boolean {
  let owner: number
  try {
    owner = Number(readFileSync(lock, 'utf8'))
    const ageMs = Date.now() - statSync(lock).mtimeMs
    if (ageMs > MAX_FILL_MS) return true
    // The file is there a moment before its content.
    if (owner === 0) return ageMs > 5_000
  } catch {
    return false
  }
  try {
    process.kill(owner, 0)
    return false
  } catch (error) {
    return hasCode(error, 'ESRCH')
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
