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

/**
 * Opens the metastore of a URL. The caller closes it.
 *
 * @param options.mustExist For reading: a file that is not there is an error, and not an empty metastore.
 */
export async function openMetastore(url: string, options: { readonly mustExist: boolean }): Promise<SqliteMetastore> {
  const path = sqlitePath(url)
  if (options.mustExist) {
    try {
      await stat(path)
    } catch (error) {
      if (hasCode(error, 'ENOENT')) throw new FileError(`there is no metastore '${path}': check --metastore`)
      throw fileError(`open the metastore '${path}'`, error)
    }
  }
  return createSqliteMetastore({ path })
}
