import type { Value } from '../types.ts'
import { indexOfColumn, type Table } from './database.ts'
import { collationOf, compare, type Scope } from './evaluate.ts'
import { SqlError } from './sql-error.ts'
import type { Typed } from './values.ts'

/** Columns of one row, by any source. */
export function rowScope(table: Table, row: readonly Value[], outer: Scope): Scope {
  return {
    ...outer,
    column(_, name) {
      const at = indexOfColumn(table, name)
      const column = table.columns[at]
      if (column === undefined) throw new SqlError(207, `Invalid column name '${name}'.`)
      const { type, collation } = column
      const value = row[at] ?? null
      return collation === undefined
        ? { type, value }
        : { type, value, collation: { rules: collationOf(collation), explicit: false } }
    },
  }
}

/** For ORDER BY: null comes first. */
export function orderOf(a: Typed, b: Typed): number {
  if (a.value === null || b.value === null) return a.value === b.value ? 0 : a.value === null ? -1 : 1
  return compare(a, b)
}
