import type { ServerError } from './tokens.ts'

/** What goes wrong with statements that match. */
export interface StatementFault {
  /** Which statements, by their text; default all but `SET`. */
  readonly match?: RegExp
  /** How many; default 1. */
  readonly times?: number
  /** How many of those that match go well before it begins; default 0. */
  readonly skip?: number
  /**
   * `before`: the statement does not run. `after`: it has run and is committed, and its answer is lost.
   * Default `before`.
   */
  readonly when?: 'before' | 'after'
  /**
   * `drop`: the connection ends. `hang`: no answer ever, until the client cancels. `delay`: the answer comes later. Or an
   * error of the server.
   */
  readonly what: 'drop' | 'hang' | { readonly delayMs: number } | { readonly error: ServerError }
}

/** What goes wrong with logins. */
export interface LoginFault {
  /** How many; default 1. */
  readonly times?: number
  readonly what: 'drop' | 'hang' | { readonly error: ServerError }
}

/** Faults that a test asks for, each used up in the order in which they were asked for. */
export interface TdsFaults {
  onStatement(fault: StatementFault): void
  onLogin(fault: LoginFault): void
  /** Send answers in pieces of so many bytes, each in its own write; 0: whole. */
  pieces: number
  /** Forgets all that is left. */
  clear(): void
}

/** What the server asks. */
export interface FaultBook extends TdsFaults {
  takeStatement(text: string): StatementFault | undefined
  takeLogin(): LoginFault | undefined
}

export function createFaultBook(): FaultBook {
  let statements: { readonly fault: StatementFault; skip: number; left: number }[] = []
  let logins: { readonly fault: LoginFault; left: number }[] = []
  const book: FaultBook = {
    pieces: 0,
    onStatement: (fault) => void statements.push({ fault, skip: fault.skip ?? 0, left: fault.times ?? 1 }),
    onLogin: (fault) => void logins.push({ fault, left: fault.times ?? 1 }),
    clear() {
      statements = []
      logins = []
      book.pieces = 0
    },
    takeStatement(text) {
      for (const entry of statements) {
        if (entry.left === 0 || !(entry.fault.match ?? /^(?!\s*set )/i).test(text)) continue
        if (entry.skip > 0) {
          entry.skip -= 1
          continue
        }
        entry.left -= 1
        return entry.fault
      }
      return undefined
    },
    takeLogin() {
      const entry = logins.find(({ left }) => left > 0)
      if (entry !== undefined) entry.left -= 1
      return entry?.fault
    },
  }
  return book
}
