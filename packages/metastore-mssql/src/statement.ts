/** A parameter: text is NVARCHAR, a whole number BIGINT. */
export type StatementValue = string | number

/** One row, by the names that the statement gives its columns. */
export type StatementRow = Readonly<Record<string, unknown>>

/** What one statement gave. */
export interface StatementResult {
  readonly rows: readonly StatementRow[]
  /** Rows that were inserted or updated. */
  readonly affected: number
}

/** A connection that runs one statement at a time. */
export interface MssqlConnection {
  run(text: string, parameters: Readonly<Record<string, StatementValue>>): Promise<StatementResult>
}
