import { type Token, tokenize } from './lexer.ts'
import { SqlError } from './sql-error.ts'

/** Walks the tokens of one batch. */
export interface Cursor {
  peek(ahead?: number): Token
  next(): Token
  /** Takes the word or symbol if it is the next token. */
  accept(text: string): boolean
  /** @throws SqlError unless these words or symbols come next. */
  expect(...texts: readonly string[]): void
  /** A name, quoted or not. @throws SqlError */
  name(): string
  /** A number of the text. @throws SqlError */
  number(): number
  /** @throws SqlError always: the text from here on is not of our subset. */
  refuse(): never
}

/** @throws SqlError where there is something that is no T-SQL of ours. */
export function createCursor(sql: string): Cursor {
  const tokens = tokenize(sql)
  const end: Token = { kind: 'end', text: '', written: '' }
  let at = 0
  const cursor: Cursor = {
    peek: (ahead = 0) => tokens[at + ahead] ?? end,
    next: () => tokens[at++] ?? end,
    accept(text) {
      const { kind, text: found } = cursor.peek()
      const hit = (kind === 'word' || kind === 'symbol') && found === text
      if (hit) at += 1
      return hit
    },
    expect(...texts) {
      for (const text of texts) if (!cursor.accept(text)) cursor.refuse()
    },
    name() {
      const token = cursor.next()
      if (token.kind === 'word') return token.written
      if (token.kind === 'name') return token.text
      at -= 1
      return cursor.refuse()
    },
    number() {
      const token = cursor.next()
      if (token.kind === 'number') return Number(token.text)
      at -= 1
      return cursor.refuse()
    },
    refuse() {
      const rest = tokens.slice(at, at + 12).map(({ written }) => written)
      throw new SqlError(102, `this server does not know this SQL: ${rest.join(' ')} (in: ${sql.trim()})`)
    },
  }
  return cursor
}
