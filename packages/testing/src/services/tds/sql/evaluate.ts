import { type Collation, DEFAULT_COLLATION, findCollation } from '../collation.ts'
import { TICKS_PER_DAY, TICKS_PER_SECOND, type Value } from '../types.ts'
import { callFunction } from './functions.ts'
import { SqlError } from './sql-error.ts'
import type { Expression } from './syntax.ts'
import { convert, datetime, datetime2, isMoment, isNumber, isText, number, type Typed } from './values.ts'

/** What names stand for while an expression is worked out. */
export interface Scope {
  /** @throws SqlError 207, 137 */
  column(source: string | undefined, name: string): Typed
  parameter(name: string): Typed
  /** `OBJECT_ID`: the number of a table, or null. */
  objectId(name: string): bigint | null
}

const DATABASE_COLLATION = collationOf(DEFAULT_COLLATION)

/** @throws SqlError for a collation that this server does not have. */
export function collationOf(name: string): Collation {
  const found = findCollation(name)
  if (found === undefined)
    throw new SqlError(448, `Invalid collation '${name}' (or one that this server does not have).`)
  return found
}

/** The value of an expression. @throws SqlError */
export function evaluate(e: Expression, scope: Scope): Typed {
  switch (e.kind) {
    case 'literal':
      return { type: e.type, value: e.value }
    case 'null':
      return { type: { kind: 'int' }, value: null }
    case 'parameter':
      return scope.parameter(e.name)
    case 'column':
      return scope.column(e.source, e.name)
    case 'collate':
      return { ...evaluate(e.operand, scope), collation: { rules: collationOf(e.collation), explicit: true } }
    case 'cast':
      return convert(evaluate(e.operand, scope), e.type, e.style)
    case 'dateAdd':
      return dateAdd(e.part, evaluate(e.amount, scope), evaluate(e.date, scope))
    case 'call':
      return callFunction(
        e.name,
        e.operands.map((operand) => evaluate(operand, scope)),
        scope,
      )
    case 'binary':
      if (['+', '-', '*', '/', '%'].includes(e.operator)) {
        return arithmetic(e.operator, evaluate(e.left, scope), evaluate(e.right, scope))
      }
      throw new SqlError(102, `this server takes a condition (${e.operator}) only where T-SQL does`)
    default:
      throw new SqlError(102, 'this server takes a condition only where T-SQL does')
  }
}

/** Three-valued logic: null is unknown. @throws SqlError */
export function isTrue(e: Expression, scope: Scope): boolean | null {
  switch (e.kind) {
    case 'not': {
      const inner = isTrue(e.operand, scope)
      return inner === null ? null : !inner
    }
    case 'isNull':
      return (evaluate(e.operand, scope).value === null) !== e.negated
    case 'in': {
      const operand = evaluate(e.operand, scope)
      const found = e.list.map((item) => compareWith('=', operand, evaluate(item, scope)))
      return found.includes(true) ? true : found.includes(null) ? null : false
    }
    case 'binary':
      if (e.operator === 'AND' || e.operator === 'OR') {
        const decided = e.operator === 'OR'
        const left = isTrue(e.left, scope)
        if (left === decided) return decided
        const right = isTrue(e.right, scope)
        if (right === decided) return decided
        return left === null || right === null ? null : !decided
      }
      return compareWith(e.operator, evaluate(e.left, scope), evaluate(e.right, scope))
    default:
      throw new SqlError(
        4145,
        'An expression of non-boolean type specified in a context where a condition is expected.',
      )
  }
}

function compareWith(operator: string, left: Typed, right: Typed): boolean | null {
  if (left.value === null || right.value === null) return null
  const order = compare(left, right)
  switch (operator) {
    case '=':
      return order === 0
    case '<>':
      return order !== 0
    case '<':
      return order < 0
    case '>':
      return order > 0
    case '<=':
      return order <= 0
    case '>=':
      return order >= 0
    default:
      throw new SqlError(102, `this server does not know the comparison ${operator}`)
  }
}

/** Both not null. @throws SqlError for types that it does not compare. */
export function compare(left: Typed, right: Typed): number {
  if (isText(left.type) && isText(right.type)) {
    return (collationFor(left, right)?.rules ?? DATABASE_COLLATION).compare(String(left.value), String(right.value))
  }
  if (isNumber(left.type) && isNumber(right.type)) return order(left.value, right.value)
  // Text beside a time is converted to that time's type, as on a real server.
  const a = isText(left.type) ? convert(left, right.type, 0) : left
  const b = isText(right.type) ? convert(right, left.type, 0) : right
  if (isMoment(a.value) && isMoment(b.value)) return order(a.value.ticks, b.value.ticks)
  throw new SqlError(402, `this server does not compare ${left.type.kind} with ${right.type.kind}`)
}

function order(a: Value, b: Value): number {
  if (typeof a !== 'bigint' || typeof b !== 'bigint') throw new SqlError(402, 'this server compares only whole numbers')
  return a < b ? -1 : a > b ? 1 : 0
}

function collationFor(left: Typed, right: Typed): Typed['collation'] {
  const [a, b] = [left.collation, right.collation]
  if (a?.explicit === true && b?.explicit === true && a.rules.name !== b.rules.name) {
    throw new SqlError(468, 'Cannot resolve the collation conflict in the comparison.')
  }
  return a?.explicit === true ? a : b?.explicit === true ? b : (a ?? b)
}

function arithmetic(operator: string, left: Typed, right: Typed): Typed {
  if (isText(left.type) && isText(right.type) && operator === '+') return concatenate(left, right)
  const kind = left.type.kind === 'bigint' || right.type.kind === 'bigint' ? 'bigint' : 'int'
  if (left.value === null || right.value === null) return { type: { kind }, value: null }
  if (typeof left.value !== 'bigint' || typeof right.value !== 'bigint') {
    throw new SqlError(402, `this server has no ${operator} of ${left.type.kind} and ${right.type.kind}`)
  }
  return number(kind, calculate(operator, left.value, right.value))
}

function calculate(operator: string, a: bigint, b: bigint): bigint {
  if (operator === '+') return a + b
  if (operator === '-') return a - b
  if (operator === '*') return a * b
  if (b === 0n) throw new SqlError(8134, 'Divide by zero error encountered.')
  return operator === '/' ? a / b : a % b
}

function concatenate(left: Typed, right: Typed): Typed {
  const collation = collationFor(left, right)
  const kind = left.type.kind === 'nvarchar' || right.type.kind === 'nvarchar' ? 'nvarchar' : 'varchar'
  const value = left.value === null || right.value === null ? null : `${String(left.value)}${String(right.value)}`
  return { type: { kind, length: 0 }, value, ...(collation === undefined ? {} : { collation }) }
}

/** The amount is an INT, whatever it was; a text is a DATETIME. */
function dateAdd(part: 'SECOND' | 'DAY', amount: Typed, date: Typed): Typed {
  if (amount.value === null || date.value === null) return { type: { kind: 'datetime' }, value: null }
  const { value: steps } = convert(amount, { kind: 'int' }, 0)
  const from = isText(date.type) ? convert(date, { kind: 'datetime' }, 0) : date
  if (typeof steps !== 'bigint' || !isMoment(from.value))
    throw new SqlError(8116, 'Argument data type is invalid for DATEADD.')
  const ticks = from.value.ticks + steps * (part === 'DAY' ? TICKS_PER_DAY : TICKS_PER_SECOND)
  return from.type.kind === 'datetime2' ? datetime2(from.type.scale, ticks) : datetime(ticks)
}
