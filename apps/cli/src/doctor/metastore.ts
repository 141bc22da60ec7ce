import { existsSync } from 'node:fs'
import {
  AsherahError,
  checkMetastore,
  type EnvelopeKeyRecord,
  type MetastoreFinding,
  type MetastoreReport,
} from '@asherah/core'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { FileError } from '../errors.ts'
import { checkMetastoreExists, type MetastorePlace, type OpenMetastore } from '../keys/metastore-url.ts'

/**
 * What is wrong with a metastore. Writes nothing; a file that is not there, or a server that cannot be reached, is a finding.
 *
 * @param keyId Also load the latest key of this id.
 * @throws InvalidConfigError when the package of the database is not installed, or the path is a folder's.
 */
export async function inspectMetastore(place: MetastorePlace, keyId: string | undefined): Promise<MetastoreReport> {
  try {
    await checkMetastoreExists(place)
  } catch (error) {
    if (error instanceof FileError) return failed('file', error.message)
    throw error
  }
  const metastore = await openForCheck(place)
  try {
    return await checkMetastore(metastore, keyId === undefined ? {} : { keyId })
  } catch (error) {
    // Damage between the rows, or a server that is away, ends the check itself: that, too, is what the report is for.
    if (error instanceof AsherahError) return failed(place.file === undefined ? 'check' : 'rows', error.message)
    throw error
  } finally {
    await metastore.close()
  }
}

/** The latest row of a key, or null. Writes nothing. */
export async function latestKey(place: MetastorePlace, keyId: string): Promise<EnvelopeKeyRecord | null> {
  const metastore = await openForCheck(place)
  try {
    return await metastore.loadLatest(keyId)
  } finally {
    await metastore.close()
  }
}

async function openForCheck(place: MetastorePlace): Promise<OpenMetastore> {
  const { file } = place
  return file === undefined ? place.open() : createSqliteMetastore({ path: file, readOnly: hasSideFile(file) })
}

/**
 * Whether others use the file, or were killed while they did. Then an ordinary connection, when it is closed, may move their
 * rows into the file or undo a half-written one; without side files it leaves nothing, where a read-only one would leave two.
 */
function hasSideFile(path: string): boolean {
  return ['-wal', '-shm', '-journal'].some((ending) => existsSync(path + ending))
}

function failed(check: string, message: string): MetastoreReport {
  const finding: MetastoreFinding = { level: 'fail', check, message }
  return { ok: false, findings: [finding] }
}
