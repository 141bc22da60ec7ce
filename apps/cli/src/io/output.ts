import { createWriteStream } from 'node:fs'
import { lstat, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Writable } from 'node:stream'
import { FileError, fileError, hasCode, tryFile } from '../errors.ts'
import { type Position, startPosition } from '../formats/format.ts'

/** Where a run's output goes. Writes are in order, and each waits until there is room. */
export interface Output {
  /** For messages: the path in quotes, or `standard output`. */
  readonly label: string
  /** Where the run starts: not at 0 when it resumes. */
  readonly start: Position
  /** True when an earlier run has done everything but the last step. */
  readonly complete: boolean
  write(bytes: Uint8Array): Promise<void>
  /** What has been written up to this position is a good place to resume from; may flush. */
  reached(position: Position): Promise<void>
  /** Ends the output; a file appears under its name now. */
  publish(position: Position): Promise<void>
  /** Ends without publishing. With `keep`, what is needed to resume stays. @returns Whether it can be resumed. */
  abandon(keep: boolean): Promise<boolean>
}

/** Thrown when the reader of a pipe has gone away: nobody wants the rest. */
export class BrokenPipeError extends Error {
  override readonly name = 'BrokenPipeError'
}

/**
 * Output to a pipe, a terminal or a device: written as it comes, since it cannot be taken back.
 *
 * @param options.end Whether publishing ends the stream; standard output is only flushed.
 */
export function createStreamOutput(stream: Writable, label: string, options: { readonly end: boolean }): Output {
  let failure: Error | undefined
  stream.on('error', (error) => {
    failure ??= hasCode(error, 'EPIPE')
      ? new BrokenPipeError(`${label} was closed`)
      : fileError(`write ${label}`, error)
  })
  const check = (): void => {
    if (failure !== undefined) throw failure
  }
  return {
    label,
    start: startPosition,
    complete: false,
    async write(bytes) {
      check()
      // The callback comes when the bytes have gone out, or can never do so: this is the back-pressure.
      if (bytes.length > 0) await new Promise<void>((resolve) => stream.write(bytes, () => resolve()))
      check()
    },
    async reached() {},
    async publish() {
      await new Promise<void>((resolve) => (options.end ? stream.end(resolve) : stream.write('', () => resolve())))
      check()
    },
    async abandon() {
      return false
    },
  }
}

/** Output to something that exists and is no regular file, such as `/dev/null` or a named pipe. */
export function createDeviceOutput(path: string): Output {
  return createStreamOutput(createWriteStream(path), `'${path}'`, { end: true })
}

/** A place that output can go to. */
export interface Target {
  /** Symbolic links resolved, so that a rename replaces the file and not the link. */
  readonly path: string
  readonly kind: 'new' | 'file' | 'device'
}

/** Looks at where an output path leads. */
export async function resolveTarget(path: string): Promise<Target> {
  const folder = dirname(path)
  await tryFile(`write '${path}'`, async () => {
    if (!(await stat(folder)).isDirectory()) throw new FileError(`'${folder}' is not a folder`)
  })
  try {
    const real = await realpath(path)
    const info = await stat(real)
    if (info.isDirectory()) throw new FileError(`cannot write '${path}': it is a folder`)
    return { path: real, kind: info.isFile() ? 'file' : 'device' }
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error instanceof FileError ? error : fileError(`write '${path}'`, error)
  }
  if (await isLink(path)) throw new FileError(`cannot write '${path}': it is a link to a file that does not exist`)
  return { path: join(await realpath(folder), basename(path)), kind: 'new' }
}

/** True when two paths lead to one file. A path where nothing is leads nowhere. */
export async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([identityOf(a), identityOf(b)])
  return first !== undefined && first === second
}

async function identityOf(path: string): Promise<string | undefined> {
  try {
    const { dev, ino } = await stat(path, { bigint: true })
    return `${dev}:${ino}`
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return undefined
    throw fileError(`look at '${path}'`, error)
  }
}

async function isLink(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSymbolicLink()
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false
    throw fileError(`write '${path}'`, error)
  }
}
