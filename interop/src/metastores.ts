import { DatabaseSync } from 'node:sqlite'
import type { EnvelopeKeyRecord, Metastore } from '@asherah/core/backend'
import { parseEnvelopeKeyRecord } from '@asherah/core/backend'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import type { VectorRow } from '@asherah/testing/tools'
import { keyRecordOfItem } from './dynamodb-item.ts'

/**
 * A row's record, read by core's codec.
 *
 * @throws CorruptRecordError when the row's text is malformed or its `Created` is not the column's.
 */
export function recordOf(row: VectorRow): EnvelopeKeyRecord {
  return parseEnvelopeKeyRecord(row.keyRecord ?? keyRecordOfItem(row.dynamodbItem), {
    keyId: row.id,
    created: row.created,
  })
}

/**
 * A memory metastore that holds the rows.
 *
 * @throws CorruptRecordError when a row is malformed.
 */
export async function memoryMetastoreOf(
  rows: readonly VectorRow[],
  regionSuffix: string | null = null,
): Promise<Metastore> {
  const metastore = createMemoryMetastore(regionSuffix === null ? {} : { regionSuffix })
  for (const row of rows) {
    if (!(await metastore.store(row.id, row.created, recordOf(row)))) {
      throw new Error(`the vectors hold the row ${row.id} of ${row.created} twice`)
    }
  }
  return metastore
}

/** The table exactly as the Rust peer (PyPI 0.5.56) creates it. */
const rustTable = `CREATE TABLE IF NOT EXISTS encryption_key (
  id TEXT NOT NULL,
  created TIMESTAMP NOT NULL,
  key_record TEXT NOT NULL,
  PRIMARY KEY (id, created)
)`

/** Writes an SQLite file as the Rust peer would: its table, `created` in its text form, and the rows' own text. */
export function writeSqliteFile(path: string, rows: readonly VectorRow[]): void {
  const database = new DatabaseSync(path)
  try {
    database.exec(rustTable)
    const insert = database.prepare('INSERT INTO encryption_key (id, created, key_record) VALUES (?, ?, ?)')
    for (const row of rows) {
      if (row.keyRecord === undefined) throw new Error(`${row.id}: an SQL row needs a keyRecord`)
      insert.run(row.id, row.createdDb ?? createdText(row.created), row.keyRecord)
    }
  } finally {
    database.close()
  }
}

function createdText(created: number): string {
  return new Date(created * 1000).toISOString().slice(0, 19).replace('T', ' ')
}
