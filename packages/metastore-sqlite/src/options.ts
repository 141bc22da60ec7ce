import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'

/** Options of `createSqliteMetastore`. */
export interface SqliteMetastoreOptions {
  /**
   * The database file: a path, or a `file:` URL object. Its folder must exist; the first `store` creates the file, which
   * only its owner can read and write (mode 0600). In-memory databases are refused: every key would be lost at exit.
   */
  readonly path: string | URL
  /** Default `encryption_key`. Quoted as it is. */
  readonly tableName?: string
  /**
   * How long a call waits for another process's lock, in milliseconds; default 5,000, 0 to 600,000. The wait does not
   * block the event loop.
   */
  readonly busyTimeoutMs?: number
  /** Open the file for reading only: `store` and `markRevoked` throw. Default false. */
  readonly readOnly?: boolean
  /** Ends the ids of every key of a factory that uses this metastore: one region of a shared store. Default none. */
  readonly regionSuffix?: string
}

/** The options as the metastore uses them: complete, checked, copied. */
export interface Settings {
  /** Absolute. */
  readonly path: string
  readonly tableName: string
  readonly busyTimeoutMs: number
  readonly readOnly: boolean
  readonly regionSuffix: string | undefined
}

/** Without its other half: such text has no UTF-8 bytes. */
export const LONE_SURROGATE: RegExp = /\p{Surrogate}/u

const KNOWN = ['path', 'tableName', 'busyTimeoutMs', 'readOnly', 'regionSuffix'] as const
const MAX_BUSY_TIMEOUT_MS = 600_000

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: SqliteMetastoreOptions): Settings {
  checkKnownOptions('createSqliteMetastore', options, KNOWN)
  const { tableName = 'encryption_key', busyTimeoutMs = 5_000, readOnly = false, regionSuffix } = options
  if (!isText(tableName) || tableName.startsWith('sqlite_')) {
    throw new InvalidConfigError('tableName must be a non-empty name that does not start with sqlite_')
  }
  if (!Number.isFinite(busyTimeoutMs) || busyTimeoutMs < 0 || busyTimeoutMs > MAX_BUSY_TIMEOUT_MS) {
    throw new InvalidConfigError(`busyTimeoutMs must be a number from 0 to ${MAX_BUSY_TIMEOUT_MS}`)
  }
  if (typeof readOnly !== 'boolean') throw new InvalidConfigError('readOnly must be true or false')
  if (regionSuffix !== undefined && !isText(regionSuffix)) {
    throw new InvalidConfigError('regionSuffix must be non-empty text')
  }
  return { path: checkPath(options.path), tableName, busyTimeoutMs, readOnly, regionSuffix }
}

function checkPath(path: unknown): string {
  const text = path instanceof URL ? pathOfUrl(path) : path
  if (!isText(text)) throw new InvalidConfigError('path must be the path of a file, or a file: URL object')
  if (text === ':memory:') {
    throw new InvalidConfigError(
      'path must be a file: the keys of an in-memory database are lost at exit; tests can use @asherah/metastore-memory',
    )
  }
  if (/^(file|sqlite):/i.test(text)) {
    throw new InvalidConfigError('path must be a plain path or a URL object, not the text of a URL')
  }
  // Absolute: a later chdir changes nothing, and SQLite cannot take the text for a URI or a special name.
  const absolute = resolve(text)
  if (!isDirectory(dirname(absolute))) throw new InvalidConfigError(`path: there is no folder ${dirname(absolute)}`)
  if (isDirectory(absolute)) throw new InvalidConfigError(`path: ${absolute} is a folder, not a file`)
  return absolute
}

function pathOfUrl(url: URL): string {
  if (url.protocol !== 'file:' || url.search !== '' || url.hash !== '') {
    throw new InvalidConfigError('path, when it is a URL, must be a file: URL without ? and #')
  }
  return fileURLToPath(url)
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && !LONE_SURROGATE.test(value) && !value.includes('\0')
}
