import type { Parameter } from '../rpc.ts'
import type { Column, Value } from '../types.ts'
import { findView } from './catalog.ts'
import { checkUnique, type Database, indexOfColumn, type Table } from './database.ts'
import { evaluate, isTrue, type Scope } from './evaluate.ts'
import { parseBatchText } from './parse-statement.ts'
import { rowScope } from './row-scope.ts'
import { selectRows } from './select.ts'
import { SqlError } from './sql-error.ts'
import type { Expression, Statement, TableName } from './syntax.ts'
import { convert, isText, type Typed } from './values.ts'

/** What a statement gave. */
export interface Result {
  /** Undefined: it gives no rows. */
  readonly columns: readonly Column[] | undefined
  readonly rows: readonly (readonly Value[])[]
  /** Rows given or changed; undefined for what counts none. */
  readonly count: number | undefined
}

/** Where a statement runs, and what it may do there. */
export interface Session {
  readonly database: Database
  /** Permissions that are denied. */
  readonly denied: ReadonlySet<string>
}

const parsed = new Map<string, Statement[]>()

/** Runs a batch; each statement is its own transaction. @throws SqlError of the first that fails. */
export function executeSql(session: Session, text: string, parameters: readonly Parameter[] = []): Result[] {
  let statements = parsed.get(text)
  if (statements === undefined) {
    statements = parseBatchText(text)
    parsed.set(text, statements)
  }
  return statements.map((statement) => execute(session, statement, parameters))
}

function execute(session: Session, statement: Statement, parameters: readonly Parameter[]): Result {
  const scope = parameterScope(session, parameters)
  switch (statement.kind) {
    case 'set':
      return NOTHING
    case 'if':
      return isTrue(statement.condition, scope) === true ? execute(session, statement.body, parameters) : NOTHING
    case 'select': {
      const { columns, rows } = selectRows(statement, scope, (name) => tableFor(session, 'SELECT', name))
      return { columns, rows, count: rows.length }
    }
    case 'insert':
      return changed(insert(tableFor(session, 'INSERT', statement.table), statement, scope))
    case 'update':
      return changed(update(tableFor(session, 'UPDATE', statement.table), statement, scope))
    case 'delete': {
      const table = tableFor(session, 'DELETE', statement.table)
      const kept = table.rows.filter((row) => !matches(statement.where, rowScope(table, row, scope)))
      const count = table.rows.length - kept.length
      table.rows = kept
      return changed(count)
    }
    case 'createTable':
      mayChange(session, 'CREATE TABLE')
      session.database.create(statement.table, statement.columns, statement.unique)
      return NOTHING
    case 'dropTable':
      mayChange(session, 'ALTER')
      session.database.drop(statement.table)
      return NOTHING
  }
}

const NOTHING: Result = { columns: undefined, rows: [], count: undefined }

function changed(count: number): Result {
  return { columns: undefined, rows: [], count }
}

/** @throws SqlError 208, 229, 3906 */
function tableFor(session: Session, action: string, name: TableName): Table {
  const view = findView(session.database, name)
  if (view !== undefined && action === 'SELECT') return view
  const table = session.database.find(name)
  const shown = name.schema === undefined ? name.name : `${name.schema}.${name.name}`
  if (table === undefined) throw new SqlError(208, `Invalid object name '${shown}'.`)
  if (session.denied.has(action)) {
    throw new SqlError(
      229,
      `The ${action} permission was denied on the object '${table.name}', schema '${table.schema}'.`,
    )
  }
  if (action !== 'SELECT') mayChange(session, action)
  return table
}

function mayChange(session: Session, action: string): void {
  if (session.database.readOnly) {
    throw new SqlError(3906, 'Failed to update the database because the database is read-only.')
  }
  if (session.denied.has(action)) throw new SqlError(262, `${action} permission denied in the database.`)
}

function insert(table: Table, statement: Statement & { readonly kind: 'insert' }, scope: Scope): number {
  if (statement.columns.length !== statement.values.length) {
    throw new SqlError(110, 'There are fewer or more columns in the INSERT statement than values.')
  }
  const row: Value[] = table.columns.map(() => null)
  statement.columns.forEach((name, i) => {
    const value = statement.values[i]
    if (value !== undefined) row[indexOfColumn(table, name)] = assigned(table, name, evaluate(value, scope))
  })
  table.columns.forEach((column, i) => {
    if (!column.nullable && row[i] === null) {
      throw new SqlError(515, `Cannot insert the value NULL into column '${column.name}'; column does not allow nulls.`)
    }
  })
  checkUnique(table, row)
  table.rows.push(row)
  return 1
}

function update(table: Table, statement: Statement & { readonly kind: 'update' }, scope: Scope): number {
  let count = 0
  table.rows = table.rows.map((row) => {
    const ofRow = rowScope(table, row, scope)
    if (!matches(statement.where, ofRow)) return row
    const next = [...row]
    for (const { column, value } of statement.changes) {
      next[indexOfColumn(table, column)] = assigned(table, column, evaluate(value, ofRow))
    }
    checkUnique(table, next, row)
    count += 1
    return next
  })
  return count
}

/** @throws SqlError 2628 where text would be cut: ANSI_WARNINGS is on. */
function assigned(table: Table, name: string, value: Typed): Value {
  const column = table.columns[indexOfColumn(table, name)]
  if (column === undefined) return null
  const { type } = column
  if (isText(type) && type.length > 0 && typeof value.value === 'string' && value.value.length > type.length) {
    throw new SqlError(2628, `String or binary data would be truncated in table '${table.name}', column '${name}'.`)
  }
  return convert(value, type, 0).value
}

function matches(where: Expression | undefined, scope: Scope): boolean {
  return where === undefined || isTrue(where, scope) === true
}

function parameterScope(session: Session, parameters: readonly Parameter[]): Scope {
  return {
    column(_, name) {
      throw new SqlError(207, `Invalid column name '${name}'.`)
    },
    parameter(name) {
      const found = parameters.find((parameter) => parameter.name.toLowerCase() === name.toLowerCase())
      if (found === undefined) throw new SqlError(137, `Must declare the scalar variable "@${name}".`)
      return found
    },
    objectId(name) {
      const parts = name.split('.').map((part) => part.replaceAll(/^[[]|\]$/g, '').replaceAll(']]', ']'))
      const [first = '', second] = parts
      const table = session.database.find(
        second === undefined ? { schema: undefined, name: first } : { schema: first, name: second },
      )
      return table === undefined ? null : BigInt(table.objectId)
    },
  }
}
