import { type Cursor, createCursor } from './cursor.ts'
import { parseExpression, parseType } from './parse-expression.ts'
import type { ColumnDefinition, Expression, Source, Statement, TableName, UniqueDefinition } from './syntax.ts'

/** What a client sets at the start of a session, and which changes nothing that this server does. */
const SETTINGS: ReadonlySet<string> = new Set([
  'ANSI_NULLS',
  'ANSI_NULL_DFLT_ON',
  'ANSI_PADDING',
  'ANSI_WARNINGS',
  'ARITHABORT',
  'CONCAT_NULL_YIELDS_NULL',
  'CURSOR_CLOSE_ON_COMMIT',
  'DATEFIRST',
  'DATEFORMAT',
  'IMPLICIT_TRANSACTIONS',
  'LANGUAGE',
  'NOCOUNT',
  'NUMERIC_ROUNDABORT',
  'QUOTED_IDENTIFIER',
  'TEXTSIZE',
  'XACT_ABORT',
])

/** @throws SqlError for anything outside the subset, naming it. */
export function parseBatchText(sql: string): Statement[] {
  const c = createCursor(sql)
  const statements: Statement[] = []
  while (c.peek().kind !== 'end') {
    if (c.accept(';')) continue
    statements.push(parseStatement(c))
  }
  return statements
}

function parseStatement(c: Cursor): Statement {
  if (c.accept('SET')) return parseSet(c)
  if (c.accept('SELECT')) return parseSelect(c)
  if (c.accept('INSERT')) return parseInsert(c)
  if (c.accept('UPDATE')) return parseUpdate(c)
  if (c.accept('DELETE')) {
    c.expect('FROM')
    return { kind: 'delete', table: parseTable(c), where: parseWhere(c) }
  }
  if (c.accept('CREATE')) return parseCreate(c)
  if (c.accept('DROP')) {
    c.expect('TABLE')
    return { kind: 'dropTable', table: parseTable(c) }
  }
  if (c.accept('IF')) return { kind: 'if', condition: parseExpression(c), body: parseStatement(c) }
  return c.refuse()
}

function parseSet(c: Cursor): Statement {
  if (c.accept('TRANSACTION')) {
    c.expect('ISOLATION', 'LEVEL', 'READ', 'COMMITTED')
    return { kind: 'set' }
  }
  if (!SETTINGS.has(c.peek().text)) return c.refuse()
  // It commits every statement by itself, and does nothing else.
  if (c.peek().text === 'IMPLICIT_TRANSACTIONS' && c.peek(1).text !== 'OFF') return c.refuse()
  c.next()
  c.next()
  return { kind: 'set' }
}

function parseSelect(c: Cursor): Statement {
  let top: number | undefined
  if (c.accept('TOP')) {
    const parenthesized = c.accept('(')
    top = c.number()
    if (parenthesized) c.expect(')')
  }
  const items = parseSeparated(c, () => {
    const expression = parseExpression(c)
    if (c.accept('AS')) return { expression, name: c.name() }
    return { expression, name: expression.kind === 'column' ? expression.name : '' }
  })
  const from = c.accept('FROM') ? parseSources(c) : []
  const where = parseWhere(c)
  if (!c.accept('ORDER')) return { kind: 'select', top, items, from, where, orderBy: [] }
  c.expect('BY')
  const orderBy = parseSeparated(c, () => {
    const expression = parseExpression(c)
    const descending = c.accept('DESC')
    if (!descending) c.accept('ASC')
    return { expression, descending }
  })
  return { kind: 'select', top, items, from, where, orderBy }
}

function parseSources(c: Cursor): Source[] {
  const sources: Source[] = [{ table: parseTable(c), alias: parseAlias(c), on: undefined }]
  while (c.accept('JOIN')) {
    const table = parseTable(c)
    const alias = parseAlias(c)
    c.expect('ON')
    sources.push({ table, alias, on: parseExpression(c) })
  }
  return sources
}

const AFTER_SOURCE: readonly string[] = ['WHERE', 'ORDER', 'JOIN', 'ON']

function parseAlias(c: Cursor): string | undefined {
  if (c.accept('AS')) return c.name()
  const { kind, text } = c.peek()
  return kind === 'word' && !AFTER_SOURCE.includes(text) ? c.name() : undefined
}

function parseInsert(c: Cursor): Statement {
  c.expect('INTO')
  const table = parseTable(c)
  const columns = parseNames(c)
  c.expect('VALUES', '(')
  const values = parseSeparated(c, () => parseExpression(c))
  c.expect(')')
  return { kind: 'insert', table, columns, values }
}

function parseUpdate(c: Cursor): Statement {
  const table = parseTable(c)
  c.expect('SET')
  const changes = parseSeparated(c, () => {
    const column = c.name()
    c.expect('=')
    return { column, value: parseExpression(c) }
  })
  return { kind: 'update', table, changes, where: parseWhere(c) }
}

function parseWhere(c: Cursor): Expression | undefined {
  return c.accept('WHERE') ? parseExpression(c) : undefined
}

function parseCreate(c: Cursor): Statement {
  c.expect('TABLE')
  const table = parseTable(c)
  const columns: ColumnDefinition[] = []
  const unique: UniqueDefinition[] = []
  c.expect('(')
  parseSeparated(c, () => {
    const first = c.peek().text
    if (['CONSTRAINT', 'PRIMARY', 'UNIQUE'].includes(first) && c.peek().kind === 'word') unique.push(parseUnique(c))
    else columns.push(parseColumn(c))
  })
  c.expect(')')
  return { kind: 'createTable', table, columns, unique }
}

function parseColumn(c: Cursor): ColumnDefinition {
  const name = c.name()
  const type = parseType(c)
  const collation = c.accept('COLLATE') ? c.name() : undefined
  const nullable = !c.accept('NOT')
  if (!nullable) c.expect('NULL')
  else c.accept('NULL')
  return { name, type, collation, nullable }
}

function parseUnique(c: Cursor): UniqueDefinition {
  const name = c.accept('CONSTRAINT') ? c.name() : undefined
  const primary = c.accept('PRIMARY')
  if (primary) c.expect('KEY')
  else c.expect('UNIQUE')
  const clustered = !c.accept('NONCLUSTERED') && (c.accept('CLUSTERED') || primary)
  return { name, primary, clustered, columns: parseNames(c) }
}

function parseNames(c: Cursor): string[] {
  c.expect('(')
  const names = parseSeparated(c, () => c.name())
  c.expect(')')
  return names
}

function parseTable(c: Cursor): TableName {
  const first = c.name()
  return c.accept('.') ? { schema: first, name: c.name() } : { schema: undefined, name: first }
}

function parseSeparated<T>(c: Cursor, parse: () => T): T[] {
  const found = [parse()]
  while (c.accept(',')) found.push(parse())
  return found
}
