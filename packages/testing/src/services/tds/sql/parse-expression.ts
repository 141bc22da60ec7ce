import type { SqlType } from '../types.ts'
import type { Cursor } from './cursor.ts'
import type { Expression } from './syntax.ts'

const COMPARISONS: readonly string[] = ['=', '<>', '!=', '<', '>', '<=', '>=']
const MAX_INT = 2_147_483_647n

/** OR, the loosest. @throws SqlError */
export function parseExpression(c: Cursor): Expression {
  let left = parseAnd(c)
  while (c.accept('OR')) left = { kind: 'binary', operator: 'OR', left, right: parseAnd(c) }
  return left
}

function parseAnd(c: Cursor): Expression {
  let left = parseNot(c)
  while (c.accept('AND')) left = { kind: 'binary', operator: 'AND', left, right: parseNot(c) }
  return left
}

function parseNot(c: Cursor): Expression {
  return c.accept('NOT') ? { kind: 'not', operand: parseNot(c) } : parseComparison(c)
}

function parseComparison(c: Cursor): Expression {
  const left = parseSum(c)
  const { kind, text } = c.peek()
  if (kind === 'symbol' && COMPARISONS.includes(text)) {
    c.next()
    return { kind: 'binary', operator: text === '!=' ? '<>' : text, left, right: parseSum(c) }
  }
  if (c.accept('IS')) {
    const negated = c.accept('NOT')
    c.expect('NULL')
    return { kind: 'isNull', operand: left, negated }
  }
  const negated = c.peek().text === 'NOT' && c.peek(1).text === 'IN' && c.accept('NOT')
  if (!c.accept('IN')) return left
  const found: Expression = { kind: 'in', operand: left, list: parseList(c) }
  return negated ? { kind: 'not', operand: found } : found
}

function parseSum(c: Cursor): Expression {
  let left = parseProduct(c)
  for (;;) {
    const operator = ['+', '-'].find((symbol) => c.accept(symbol))
    if (operator === undefined) return left
    left = { kind: 'binary', operator, left, right: parseProduct(c) }
  }
}

function parseProduct(c: Cursor): Expression {
  let left = parseCollated(c)
  for (;;) {
    const operator = ['*', '/', '%'].find((symbol) => c.accept(symbol))
    if (operator === undefined) return left
    left = { kind: 'binary', operator, left, right: parseCollated(c) }
  }
}

function parseCollated(c: Cursor): Expression {
  const operand = parsePrimary(c)
  return c.accept('COLLATE') ? { kind: 'collate', operand, collation: c.name() } : operand
}

function parsePrimary(c: Cursor): Expression {
  const token = c.peek()
  switch (token.kind) {
    case 'number': {
      c.next()
      const value = BigInt(token.text)
      return { kind: 'literal', type: { kind: value > MAX_INT ? 'bigint' : 'int' }, value }
    }
    case 'national':
    case 'text': {
      c.next()
      const kind = token.kind === 'text' ? 'varchar' : 'nvarchar'
      return { kind: 'literal', type: { kind, length: Math.max(1, token.text.length) }, value: token.text }
    }
    case 'parameter':
      c.next()
      return { kind: 'parameter', name: token.text }
    case 'symbol': {
      c.expect('(')
      const inner = parseExpression(c)
      c.expect(')')
      return inner
    }
    default:
      return parseWord(c)
  }
}

function parseWord(c: Cursor): Expression {
  if (c.accept('NULL')) return { kind: 'null' }
  const isCall = c.peek().kind === 'word' && c.peek(1).text === '(' && c.peek(1).kind === 'symbol'
  if (isCall) return parseCall(c)
  const first = c.name()
  return c.accept('.')
    ? { kind: 'column', source: first, name: c.name() }
    : { kind: 'column', source: undefined, name: first }
}

function parseCall(c: Cursor): Expression {
  const name = c.next().text
  if (name === 'CAST') {
    c.expect('(')
    const operand = parseExpression(c)
    c.expect('AS')
    const type = parseType(c)
    c.expect(')')
    return { kind: 'cast', operand, type, style: 0 }
  }
  if (name === 'CONVERT') {
    c.expect('(')
    const type = parseType(c)
    c.expect(',')
    const operand = parseExpression(c)
    const style = c.accept(',') ? c.number() : 0
    c.expect(')')
    return { kind: 'cast', operand, type, style }
  }
  if (name === 'DATEADD') return parseDateAdd(c)
  if (name === 'COUNT' && c.peek(1).text === '*') {
    c.expect('(', '*', ')')
    return { kind: 'countAll' }
  }
  return { kind: 'call', name, operands: parseList(c) }
}

function parseDateAdd(c: Cursor): Expression {
  c.expect('(')
  const part = c.accept('SECOND') ? 'SECOND' : 'DAY'
  if (part === 'DAY') c.expect('DAY')
  c.expect(',')
  const amount = parseExpression(c)
  c.expect(',')
  const date = parseExpression(c)
  c.expect(')')
  return { kind: 'dateAdd', part, amount, date }
}

function parseList(c: Cursor): Expression[] {
  c.expect('(')
  const list: Expression[] = []
  while (!c.accept(')')) {
    if (list.length > 0) c.expect(',')
    list.push(parseExpression(c))
  }
  return list
}

/** @throws SqlError for a type that this server does not have. */
export function parseType(c: Cursor): SqlType {
  const kind = c.name().toLowerCase()
  switch (kind) {
    case 'int':
    case 'bigint':
    case 'bit':
    case 'datetime':
      return { kind }
    case 'datetime2':
      return { kind, scale: parseSize(c) ?? 7 }
    case 'nvarchar':
    case 'varchar':
      return { kind, length: parseSize(c) ?? 30 }
    default:
      return c.refuse()
  }
}

/** MAX is 0. */
function parseSize(c: Cursor): number | undefined {
  if (!c.accept('(')) return undefined
  const size = c.accept('MAX') ? 0 : c.number()
  c.expect(')')
  return size
}
