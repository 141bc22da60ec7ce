import { MetastoreError } from '@asherah/core/backend'

const BUSY = 5
const LOCKED = 6
/** WAL's lock protocol lost a race too often. */
const PROTOCOL = 15
const CONSTRAINT_PRIMARYKEY = 1555
const CONSTRAINT_UNIQUE = 2067

/** What to say of SQLite's primary result codes that have a story of their own. */
const EXPLANATIONS: ReadonlyMap<number, string> = new Map([
  [8, 'the file or its folder is read-only'],
  [11, 'the database file is damaged'],
  [13, 'the disk is full'],
  [14, 'the file cannot be opened: look at its permissions and those of its folder'],
  [26, 'the file is not an SQLite database, or it is encrypted'],
])

/** SQLite's extended result code of an error that `node:sqlite` threw. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode : undefined
}

/** Another connection has the lock. The statement did not take effect, so it can be run again. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error)
  return code !== undefined && [BUSY, LOCKED, PROTOCOL].includes(code & 0xff)
}

/** A primary key or unique index refused the row. */
export function isDuplicate(error: unknown): boolean {
  const code = resultCode(error)
  return code === CONSTRAINT_PRIMARYKEY || code === CONSTRAINT_UNIQUE
}

/** @param what What was tried, such as `store`. */
export function toMetastoreError(what: string, path: string, error: unknown): MetastoreError {
  const code = resultCode(error)
  const message = error instanceof Error ? error.message : 'unknown failure'
  const why = (code === undefined ? undefined : EXPLANATIONS.get(code & 0xff)) ?? message
  return new MetastoreError(`SQLite ${what}, ${path}: ${why}`, { cause: error })
}
