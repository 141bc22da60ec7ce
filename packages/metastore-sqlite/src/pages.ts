import { Buffer } from 'node:buffer'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Call, CorruptRecordError, checkNotAborted, type KeyMeta } from '@asherah/core/backend'
import type { Connection, Database } from './database.ts'
import { PAGE_ROWS } from './statements.ts'

/** One row as it is stored. */
export interface StoredRow {
  readonly keyId: string
  /** Null: the `created` column is not a time. */
  readonly seconds: number | null
  /** False: `created` is an epoch number, or time text of another form than ours. */
  readonly canonical: boolean
  readonly keyRecord: unknown
}

/**
 * Every row by the bytes of its id, then by `created`, a page at a time: no statement stays open in between, so neither
 * a writer nor the event loop waits for a slow reader.
 */
export async function* pagedRows(
  database: Database,
  call: (Call & { readonly after?: KeyMeta }) | undefined,
): AsyncGenerator<StoredRow> {
  let after = call?.after ?? { keyId: '', created: 0 }
  for (;;) {
    const from = after
    const page = await database.read<readonly StoredRow[]>('list', call, [], (c) => readPage(c, from))
    for (const row of page) {
      checkNotAborted(call?.signal)
      yield row
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE_ROWS) return
    after = { keyId: last.keyId, created: last.seconds ?? 0 }
    await nextTurn()
  }
}

function readPage(c: Connection, after: KeyMeta): StoredRow[] {
  const rows = c.prepare(c.texts.page).all({ id: after.keyId, created: after.created })
  return rows.map((row) => ({
    keyId: decodeId(row.id_bytes),
    seconds: typeof row.seconds === 'number' ? row.seconds : null,
    canonical: row.canonical === 1,
    keyRecord: row.key_record,
  }))
}

/** The id is read as bytes: `node:sqlite` gives back less than was stored where text is not UTF-8. */
function decodeId(id: unknown): string {
  if (!(id instanceof Uint8Array)) throw new CorruptRecordError('a row has no id')
  const text = Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('utf8')
  if (!Buffer.from(text, 'utf8').equals(id)) throw new CorruptRecordError('a row has an id that is not UTF-8 text')
  return text
}
