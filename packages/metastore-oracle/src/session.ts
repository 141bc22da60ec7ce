import oracledb from 'oracledb'
import type { OracleBind, OracleConnection, OracleExecuteOptions } from './oracle-types.ts'

/** One row, by the names that the statement gives its columns. */
export type SessionRow = Readonly<Record<string, unknown>>

/** A connection that runs one statement at a time, each its own transaction. */
export interface Session {
  run(
    text: string,
    binds: Readonly<Record<string, OracleBind>>,
  ): Promise<{ readonly rows: readonly SessionRow[]; readonly affected: number }>
}

const LARGE_TEXT: ReadonlySet<unknown> = new Set([oracledb.DB_TYPE_CLOB, oracledb.DB_TYPE_NCLOB])

const OPTIONS: OracleExecuteOptions = {
  autoCommit: true,
  outFormat: oracledb.OUT_FORMAT_OBJECT,
  // A Lob object would need a round trip of its own, and the connection while it is read.
  fetchTypeHandler: ({ dbType }) => (LARGE_TEXT.has(dbType) ? { type: oracledb.STRING } : undefined),
}

const running = new WeakSet<OracleConnection>()

/** Whether a statement of ours has no answer yet. */
export function isRunning(connection: OracleConnection): boolean {
  return running.has(connection)
}

export function sessionOf(connection: OracleConnection): Session {
  return {
    async run(text, binds) {
      running.add(connection)
      try {
        const { rows, rowsAffected = 0 } = await connection.execute(text, binds, OPTIONS)
        return { rows: Array.isArray(rows) ? rows : [], affected: rowsAffected }
      } finally {
        running.delete(connection)
      }
    },
  }
}

/** A text that may be longer than a VARCHAR2. */
export function largeText(text: string): OracleBind {
  return { val: text, type: oracledb.DB_TYPE_CLOB }
}
