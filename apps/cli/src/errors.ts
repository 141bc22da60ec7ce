import type { AsherahErrorCode } from '@asherah/core'
import { AsherahError } from '@asherah/core'

/** Where in the input something is: lines and columns count from 1, columns in characters. */
export interface Place {
  readonly line: number
  /** Absent where only the line is known. */
  readonly column?: number
  /** The column or member that was being worked on. */
  readonly field?: string
}

/** `line 3, column 17, field 'ssn'` */
export function formatPlace(place: Place): string {
  const column = place.column === undefined ? '' : `, column ${place.column}`
  const field = place.field === undefined ? '' : `, field '${place.field}'`
  return `line ${place.line}${column}${field}`
}

/**
 * A fault of the input at a known place: malformed text, or a value that cannot be encrypted or decrypted.
 *
 * Its code is `ERR_ASHERAH_INVALID_INPUT`, or the code of the library's error that it carries as `cause`.
 */
export class InputError extends AsherahError {
  readonly code: AsherahErrorCode
  readonly place: Place

  constructor(message: string, place: Place, options?: ErrorOptions) {
    super(`${formatPlace(place)}: ${message}`, options)
    this.place = place
    this.code = options?.cause instanceof AsherahError ? options.cause.code : 'ERR_ASHERAH_INVALID_INPUT'
  }
}

/** Gives what the library threw for one value the place of that value; everything else stays as it is. */
export function atPlace(error: unknown, place: () => Place): unknown {
  if (!(error instanceof AsherahError) || error instanceof InputError) return error
  return new InputError(error.message, place(), { cause: error })
}

/** A file, pipe or device that cannot be read or written. */
export class FileError extends Error {
  override readonly name = 'FileError'
}

/** What `asherah doctor` ends with when the metastore has a fail: the report has said all of it already. */
export class MetastoreUnfitError extends Error {
  override readonly name = 'MetastoreUnfitError'
}

/** What an interrupted run ends with: `signal` decides the exit code. */
export class InterruptedError extends Error {
  override readonly name = 'InterruptedError'
  readonly signal: NodeJS.Signals

  constructor(signal: NodeJS.Signals, message: string) {
    super(message)
    this.signal = signal
  }
}

/** True for an error of the operating system with this code, such as `ENOENT`. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** Runs a file operation; what it throws becomes a {@link FileError} that says what was tried. */
export async function tryFile<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw fileError(what, error)
  }
}

/** `cannot read 'a.csv': no such file or folder` */
export function fileError(what: string, error: unknown): FileError {
  if (error instanceof FileError) return error
  return new FileError(`cannot ${what}: ${systemReason(error)}`, { cause: error })
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of the path is not a folder',
  EEXIST: 'it exists already',
  ENOSPC: 'no space left on the device',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many open files',
  EIO: 'the device failed',
}

function systemReason(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason'
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return (code === undefined ? undefined : reasons[code]) ?? error.message
}
