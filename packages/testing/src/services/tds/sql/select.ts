import type { Column, Value } from '../types.ts'
import type { Table } from './database.ts'
import { evaluate, isTrue, type Scope } from './evaluate.ts'
import { orderOf, rowScope } from './row-scope.ts'
import { SqlError } from './sql-error.ts'
import type { Expression, Statement, TableName } from './syntax.ts'
import { isText, type Typed } from './values.ts'

type Select = Statement & { readonly kind: 'select' }

/** Columns and rows of a SELECT. @throws SqlError */
export function selectRows(
  statement: Select,
  scope: Scope,
  find: (name: TableName) => Table,
): { readonly columns: readonly Column[]; readonly rows: readonly (readonly Value[])[] } {
  const { top, items, where } = statement
  const scopes = joined(statement, scope, find).filter((row) => where === undefined || isTrue(where, row) === true)
  if (items.some(({ expression }) => expression.kind === 'countAll')) return counted(statement, scopes.length)
  const sorted = ordered(statement, scopes)
  const cut = top === undefined ? sorted : sorted.slice(0, top)
  const values = cut.map((row) => items.map(({ expression }) => evaluate(expression, row)))
  const types = values[0] ?? items.map(({ expression }) => typeWithoutRows(expression, statement, scope, find))
  const columns = items.map(({ name }, i) => ({ name, type: types[i]?.type ?? { kind: 'int' } }) as const)
  // Every row of an answer has the type that its column says, also where text is of another length.
  return {
    columns: columns.map(({ name, type }) => ({ name, type: isText(type) ? { ...type, length: 0 } : type })),
    rows: values.map((row) => row.map(({ value }) => value)),
  }
}

function counted({ items }: Select, count: number): ReturnType<typeof selectRows> {
  const [item] = items
  if (items.length !== 1 || item === undefined) throw new SqlError(8120, 'this server counts only by COUNT(*) alone')
  return { columns: [{ name: item.name, type: { kind: 'int' } }], rows: [[BigInt(count)]] }
}

/** One scope for each row of the sources that belong together. */
function joined({ from }: Select, scope: Scope, find: (name: TableName) => Table): Scope[] {
  let scopes: Scope[] = [scope]
  for (const { table: name, alias, on } of from) {
    const table = find(name)
    const known = alias ?? name.name
    const next: Scope[] = []
    for (const outer of scopes) {
      for (const row of table.rows) {
        const both = named(table, known, row, outer)
        if (on === undefined || isTrue(on, both) === true) next.push(both)
      }
    }
    scopes = next
  }
  return scopes
}

function named(table: Table, known: string, row: readonly Value[], outer: Scope): Scope {
  const own = rowScope(table, row, outer)
  return {
    ...outer,
    column(source, name) {
      if (source !== undefined && !table.isSameName(source, known)) return outer.column(source, name)
      return own.column(source, name)
    },
  }
}

function ordered({ orderBy, items }: Select, scopes: readonly Scope[]): readonly Scope[] {
  if (orderBy.length === 0) return scopes
  // A name alone means the item of that name, if there is one, and not the column.
  const meant = (e: Expression): Expression => {
    if (e.kind !== 'column' || e.source !== undefined) return e
    return items.find(({ name }) => name.toLowerCase() === e.name.toLowerCase())?.expression ?? e
  }
  const keyed = scopes.map((row) => ({ row, keys: orderBy.map(({ expression }) => evaluate(meant(expression), row)) }))
  const byKeys = (a: readonly Typed[], b: readonly Typed[]): number => {
    for (const [i, { descending }] of orderBy.entries()) {
      const [x, y] = [a[i], b[i]]
      const difference = x === undefined || y === undefined ? 0 : orderOf(x, y)
      if (difference !== 0) return descending ? -difference : difference
    }
    return 0
  }
  return keyed.toSorted((a, b) => byKeys(a.keys, b.keys)).map(({ row }) => row)
}

/** An answer without rows has columns all the same: a row of nulls says their types. */
function typeWithoutRows(e: Expression, { from }: Select, scope: Scope, find: (name: TableName) => Table): Typed {
  const nulls = from.reduce((outer, { table: name, alias }) => {
    const table = find(name)
    return named(
      table,
      alias ?? name.name,
      table.columns.map(() => null),
      outer,
    )
  }, scope)
  return evaluate(e, nulls)
}
