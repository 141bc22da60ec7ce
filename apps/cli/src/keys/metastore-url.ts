import { stat } from 'node:fs/promises'
import { InvalidConfigError } from '@asherah/core'
import { createSqliteMetastore, type SqliteMetastore } from '@asherah/metastore-sqlite'
import { FileError, fileError, hasCode } from '../errors.ts'

const scheme = 'sqlite://'

/** The path in `sqlite://keys.db` (relative) or `sqlite:///var/lib/keys.db` (absolute). @throws InvalidConfigError */
export function sqlitePath(url: string): string {
  const path = url.startsWith(scheme) ? url.slice(scheme.length) : ''
  // The text is not quoted: other databases' URLs hold passwords.
  if (path === '') throw new InvalidConfigError(`--metastore must be ${scheme}PATH, such as ${scheme}keys.db`)
  return path
}

/** Opens the metastore of a URL. Nothing is made before a key is stored. The caller closes it. */
export function openMetastore(url: string): SqliteMetastore {
  return createSqliteMetastore({ path: sqlitePath(url) })
}

/** A file that is not there reads as an empty metastore: says so instead. @throws FileError */
export async function checkMetastoreExists(url: string): Promise<void> {
  const path = sqlitePath(url)
  try {
    await stat(path)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) throw new FileError(`there is no metastore '${path}': check --metastore`)
    throw fileError(`open the metastore '${path}'`, error)
  }
}
