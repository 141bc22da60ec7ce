import { SqlError } from './sql-error.ts'

/** A piece of T-SQL. Names and words are kept apart: a quoted name is never a keyword. */
export interface Token {
  readonly kind: 'word' | 'name' | 'text' | 'national' | 'number' | 'parameter' | 'symbol' | 'end'
  /** A word in upper case; a name, text or parameter without its quotes or `@`. */
  readonly text: string
  /** As it was written. */
  readonly written: string
}

const PIECES: readonly (readonly [Token['kind'] | 'space', RegExp])[] = [
  ['space', /(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)/y],
  ['national', /N'((?:[^']|'')*)'/y],
  ['text', /'((?:[^']|'')*)'/y],
  ['name', /\[((?:[^\]]|\]\])*)\]/y],
  ['name', /"((?:[^"]|"")*)"/y],
  ['parameter', /@(\w+)/y],
  ['number', /(\d+)/y],
  ['word', /([A-Za-z_#]\w*)/y],
  ['symbol', /(<>|!=|<=|>=|[=<>(),.*+\-/%;])/y],
]

/** @throws SqlError naming what it cannot read. */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = []
  for (let at = 0; at < sql.length; ) {
    const piece = pieceAt(sql, at)
    if (piece === undefined) throw new SqlError(102, `this server cannot read SQL at: ${sql.slice(at, at + 80)}`)
    at = piece.end
    if (piece.token !== undefined) tokens.push(piece.token)
  }
  tokens.push({ kind: 'end', text: '', written: '' })
  return tokens
}

function pieceAt(sql: string, at: number): { readonly end: number; readonly token: Token | undefined } | undefined {
  for (const [kind, pattern] of PIECES) {
    pattern.lastIndex = at
    const match = pattern.exec(sql)
    if (match === null) continue
    const [written, inner = ''] = match
    const end = at + written.length
    if (kind === 'space') return { end, token: undefined }
    return { end, token: { kind, written, text: cleaned(kind, written, inner) } }
  }
  return undefined
}

function cleaned(kind: Token['kind'], written: string, inner: string): string {
  if (kind === 'word') return inner.toUpperCase()
  if (kind === 'text' || kind === 'national') return inner.replaceAll("''", "'")
  if (kind === 'name') return written.startsWith('[') ? inner.replaceAll(']]', ']') : inner.replaceAll('""', '"')
  return inner
}
