import { Buffer } from 'node:buffer'
import type { KeyMeta } from '@asherah/core/backend'

/** One row: text, as an SQL metastore keeps it, so that no caller's bytes are the metastore's. */
export interface Row extends KeyMeta {
  readonly keyRecord: string
}

/** Rows by id and `created`. */
export interface RowMap {
  readonly size: number
  get(keyId: string, created: number): Row | undefined
  /** The row of the greatest `created` that is ≤ `notAfter`. */
  latest(keyId: string, notAfter: number): Row | undefined
  /** False: a row with this id and `created` is there, and stays. */
  insert(row: Row): boolean
  replace(row: Row): void
  /** The rows after `after`, by the bytes of the id, then by `created`, as they are now. */
  sorted(after: KeyMeta | undefined): Row[]
  clear(): void
}

/** Makes an empty one. */
export function createRowMap(): RowMap {
  /** The rows of each id, oldest first. */
  const byId = new Map<string, Row[]>()
  let size = 0

  /** Where the first row with a greater `created` stands. */
  const endOf = (rows: readonly Row[], created: number): number => {
    let low = 0
    let high = rows.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((rows[middle]?.created ?? 0) <= created) low = middle + 1
      else high = middle
    }
    return low
  }
  const latest = (keyId: string, notAfter: number): Row | undefined => {
    const rows = byId.get(keyId) ?? []
    return rows[endOf(rows, notAfter) - 1]
  }
  const get = (keyId: string, created: number): Row | undefined => {
    const row = latest(keyId, created)
    return row?.created === created ? row : undefined
  }

  return {
    get size() {
      return size
    },
    get,
    latest,
    insert(row) {
      const rows = byId.get(row.keyId)
      if (rows === undefined) {
        byId.set(row.keyId, [row]) // an array that is made with its one element has no room to spare
      } else {
        const end = endOf(rows, row.created)
        if (rows[end - 1]?.created === row.created) return false
        rows.splice(end, 0, row)
      }
      size += 1
      return true
    },
    replace(row) {
      const rows = byId.get(row.keyId) ?? []
      const at = endOf(rows, row.created) - 1
      if (rows[at]?.created === row.created) rows[at] = row
    },
    sorted(after) {
      const afterId = after === undefined ? undefined : Buffer.from(after.keyId)
      return [...byId]
        .map(([keyId, rows]) => ({ bytes: Buffer.from(keyId), rows }))
        .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes))
        .flatMap(({ bytes, rows }) => {
          const order = afterId === undefined ? 1 : Buffer.compare(bytes, afterId)
          return order < 0 ? [] : order > 0 ? rows : rows.slice(endOf(rows, after?.created ?? 0))
        })
    },
    clear() {
      byId.clear()
      size = 0
    },
  }
}
