import { constants } from 'node:fs'
import { type FileHandle, open, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { InvalidConfigError } from '@asherah/core'
import { FileError, fileError, hasCode, tryFile } from '../errors.ts'
import { type Position, startPosition } from '../formats/format.ts'
import { joinPieces } from './byte-queue.ts'
import type { Input } from './input.ts'
import { checkSameRun, type Journal, type RunOptions, readJournal, removeJournal, writeJournal } from './journal.ts'
import type { Output, Target } from './output.ts'

/** What {@link openPartialFile} takes. */
export interface PartialFileOptions {
  readonly target: Target
  readonly input: Input
  readonly run: RunOptions
  readonly force: boolean
  readonly resume: boolean
  /** Permissions of the file, of which the process's umask takes its part. */
  readonly mode: number
  /** How often the output is flushed and the journal written, in milliseconds. */
  readonly checkpointMs?: number
}

const defaultCheckpointMs = 1_000
/** Small writes are gathered up to this. */
const writeBytes = 1024 * 1024

/**
 * Output to a file that appears whole or not at all.
 *
 * It is written to `<target>.asherah-partial`, which is renamed at the end. When the input is a file, a journal
 * beside it (`<target>.asherah-journal`) says up to where both are safe, so that a killed run can be resumed.
 *
 * @throws InvalidConfigError when the target exists, or an interrupted run's output does, and neither `force` nor
 *   `resume` says what to do.
 */
export async function openPartialFile(options: PartialFileOptions): Promise<Output> {
  const { target, input, force, resume } = options
  const partial = `${target.path}.asherah-partial`
  const journalPath = `${target.path}.asherah-journal`
  const identity = input.file?.identity
  const checkpointMs = options.checkpointMs ?? defaultCheckpointMs

  const left = await readJournal(journalPath).catch((error: unknown) => {
    if (force) return undefined
    throw error
  })
  const partialLeft = await exists(partial)
  if (left !== undefined && partialLeft) checkNotRunning(left, partial)
  let resumed: Journal | undefined
  // Killed between the rename and the journal's removal: all is done.
  const published = !partialLeft && left?.complete === true && target.kind === 'file'
  if (resume && left !== undefined && identity !== undefined && (partialLeft || published)) {
    checkSameRun(left, options.run, identity, input.label)
    resumed = left
  }
  if (target.kind === 'file' && !force && !(published && resumed !== undefined)) {
    throw new InvalidConfigError(`'${target.path}' exists already: give another -o, or --force to replace it`)
  }
  if (partialLeft && !force && !resume) {
    throw new InvalidConfigError(`an interrupted run left '${partial}': --resume goes on with it, --force starts over`)
  }

  let file: FileHandle | undefined
  if (resumed === undefined) {
    if (partialLeft) await rm(partial)
    file = await tryFile(`write '${partial}'`, () => open(partial, 'wx', options.mode))
  } else if (!published) {
    file = await tryFile(`write '${partial}'`, () => reopen(partial, resumed.position.output))
  }
  const start = resumed?.position ?? startPosition
  const writer = createWriter(async (bytes) => {
    await tryFile(`write '${partial}'`, async () => file?.writeFile(bytes))
  })
  let safe = start
  let reached = start
  let nextCheckpoint = 0

  const journalAt = (position: Position, complete: boolean): Journal | undefined =>
    identity === undefined
      ? undefined
      : { version: 1, pid: process.pid, host: hostname(), options: options.run, input: identity, position, complete }
  const checkpoint = async (position: Position, complete: boolean): Promise<void> => {
    await writer.flush()
    // Output first: a journal must never promise bytes that a power cut can take back.
    await tryFile(`write '${partial}'`, async () => file?.sync())
    const journal = journalAt(position, complete)
    if (journal !== undefined) await writeJournal(journalPath, journal)
    safe = position
  }
  if (resumed === undefined) await removeJournal(journalPath)
  if (resumed?.complete !== true) await checkpoint(start, false)

  return {
    label: `'${target.path}'`,
    start,
    complete: resumed?.complete ?? false,
    write: writer.write,
    async reached(position) {
      // The newest position is held back until the next one: that of the last row must not be resumed from, since
      // a format may end its output with something more.
      const settled = reached
      reached = position
      const now = performance.now()
      if (now < nextCheckpoint || settled === safe) return
      nextCheckpoint = now + checkpointMs
      await checkpoint(settled, false)
    },
    async publish(position) {
      if (file !== undefined) {
        await checkpoint(position, true)
        await file.close()
        await tryFile(`write '${target.path}'`, () => rename(partial, target.path))
        await syncFolder(dirname(target.path))
      }
      await removeJournal(journalPath)
    },
    async abandon(keep) {
      await writer.settled()
      await file?.close()
      if (keep && identity !== undefined && safe.rows > 0) return true
      await rm(partial, { force: true })
      await removeJournal(journalPath)
      return false
    },
  }
}

interface Writer {
  /** Waits while an earlier write still runs and there is enough for the next. */
  write(bytes: Uint8Array): Promise<void>
  /** Writes what is gathered, and waits for it. */
  flush(): Promise<void>
  /** Waits for a write that runs, whatever becomes of it. */
  settled(): Promise<void>
}

/** Gathers small writes, and lets the next batch be encrypted while one is written. */
function createWriter(writeAll: (bytes: Uint8Array) => Promise<void>): Writer {
  let gathered: Uint8Array[] = []
  let size = 0
  let running = Promise.resolve()
  const start = async (): Promise<void> => {
    const bytes = joinPieces(gathered)
    gathered = []
    size = 0
    await running
    running = writeAll(bytes)
    // Whoever awaits `running` next gets the error.
    running.catch(() => undefined)
  }
  return {
    async write(bytes) {
      gathered.push(bytes)
      size += bytes.length
      if (size >= writeBytes) await start()
    },
    async flush() {
      if (size > 0) await start()
      await running
    },
    settled: () => running.catch(() => undefined),
  }
}

async function reopen(path: string, length: number): Promise<FileHandle> {
  // O_NOFOLLOW is not there on Windows.
  const file = await open(path, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0))
  try {
    const { size } = await file.stat()
    if (size < length) throw new FileError(`'${path}' is shorter than its journal says: start over with --force`)
    // What was written after the last checkpoint may end in half a row.
    await file.truncate(length)
    await file.close()
    return await open(path, 'a')
  } catch (error) {
    await file.close().catch(() => undefined)
    throw error
  }
}

function checkNotRunning(journal: Journal, partial: string): void {
  if (journal.host !== hostname() || journal.pid === process.pid || !isRunning(journal.pid)) return
  throw new InvalidConfigError(
    `process ${journal.pid} is writing '${partial}': wait for it, or remove that file if it is no asherah process`,
  )
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw fileError(`look at '${path}'`, error)
  }
}

async function syncFolder(path: string): Promise<void> {
  let folder: FileHandle
  try {
    folder = await open(path, 'r')
  } catch (error) {
    // Windows cannot open a folder; its rename is on disk with the file system's own journal.
    if (hasCode(error, 'EISDIR') || hasCode(error, 'EPERM') || hasCode(error, 'EACCES')) return
    throw fileError(`write '${path}'`, error)
  }
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
