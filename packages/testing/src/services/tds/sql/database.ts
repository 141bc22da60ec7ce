import { DEFAULT_COLLATION, findCollation } from '../collation.ts'
import type { Value } from '../types.ts'
import { collationOf, compare } from './evaluate.ts'
import { SqlError } from './sql-error.ts'
import type { ColumnDefinition, TableName, UniqueDefinition } from './syntax.ts'
import type { Typed } from './values.ts'

/** One table and its rows. */
export interface Table {
  /** By the collation of the database. */
  isSameName(a: string, b: string): boolean
  readonly objectId: number
  readonly schema: string
  readonly name: string
  readonly columns: readonly ColumnDefinition[]
  readonly unique: readonly (UniqueDefinition & { readonly name: string })[]
  rows: Value[][]
}

/** A database as a test sets it up. */
export interface DatabaseOptions {
  /** Of its names and of text columns that say nothing; default `SQL_Latin1_General_CP1_CI_AS`. */
  readonly collation?: string
}

/** A database: its tables, and whether it can be written. */
export interface Database {
  readonly collation: string
  /** Refuse every change with error 3906, as a readable secondary does. */
  readOnly: boolean
  tables(): Table[]
  /** By the collation's rules for names; the schema is `dbo` unless it is written. */
  find(name: TableName): Table | undefined
  create(name: TableName, columns: readonly ColumnDefinition[], unique: readonly UniqueDefinition[]): void
  /** @throws SqlError 3701 */
  drop(name: TableName): void
  isSameName(a: string, b: string): boolean
}

/** @throws Error for a collation that this server does not have. */
export function createDatabase(options: DatabaseOptions): Database {
  const { collation = DEFAULT_COLLATION } = options
  const names = findCollation(collation)
  if (names === undefined) throw new Error(`this server does not have the collation ${collation}`)
  const isSameName = (a: string, b: string): boolean => names.compare(a, b) === 0
  let tables: Table[] = []
  let lastId = 1_000
  const database: Database = {
    collation,
    readOnly: false,
    isSameName,
    tables: () => tables,
    find: ({ schema = 'dbo', name }) =>
      tables.find((table) => isSameName(table.schema, schema) && isSameName(table.name, name)),
    create(name, columns, unique) {
      if (database.find(name) !== undefined) {
        throw new SqlError(2714, `There is already an object named '${name.name}' in the database.`)
      }
      const whole = columns.map((column) => withCollation(column, collation))
      lastId += 1
      tables.push({
        isSameName,
        objectId: lastId,
        schema: name.schema ?? 'dbo',
        name: name.name,
        columns: whole,
        unique: unique.map((u, i) => ({ ...u, name: u.name ?? `${u.primary ? 'PK' : 'UQ'}__${name.name}__${i}` })),
        rows: [],
      })
    },
    drop(name) {
      const table = database.find(name)
      if (table === undefined)
        throw new SqlError(3701, `Cannot drop the table '${name.name}', because it does not exist.`)
      tables = tables.filter((other) => other !== table)
    },
  }
  return database
}

function withCollation(column: ColumnDefinition, database: string): ColumnDefinition {
  if (column.type.kind !== 'nvarchar' && column.type.kind !== 'varchar') return column
  const collation = column.collation ?? database
  collationOf(collation)
  return { ...column, collation }
}

/** @throws SqlError 2627 or 2601 when a unique key has these values already. */
export function checkUnique(table: Table, values: readonly Value[], except?: readonly Value[]): void {
  for (const key of table.unique) {
    const at = key.columns.map((name) => indexOfColumn(table, name))
    const taken = table.rows.some((row) => row !== except && at.every((i) => isSame(table, i, row[i], values[i])))
    if (!taken) continue
    const kind = key.primary ? 'PRIMARY KEY' : 'UNIQUE KEY'
    throw new SqlError(
      2627,
      `Violation of ${kind} constraint '${key.name}'. Cannot insert duplicate key in object '${table.schema}.${table.name}'.`,
    )
  }
}

function isSame(table: Table, at: number, a: Value | undefined, b: Value | undefined): boolean {
  const column = table.columns[at]
  if (column === undefined || a === undefined || b === undefined) return false
  // A unique key takes two nulls for equal, other than `=` does.
  if (a === null || b === null) return a === b
  const { type } = column
  const collation =
    column.collation === undefined ? undefined : { rules: collationOf(column.collation), explicit: false }
  const typed = (value: Value): Typed => ({ type, value, ...(collation === undefined ? {} : { collation }) })
  return compare(typed(a), typed(b)) === 0
}

/** @throws SqlError 207 */
export function indexOfColumn(table: Table, name: string): number {
  const at = table.columns.findIndex((column) => table.isSameName(column.name, name))
  if (at < 0) throw new SqlError(207, `Invalid column name '${name}'.`)
  return at
}
