const SEVERITY: ReadonlyMap<number, number> = new Map([
  [102, 15],
  [229, 14],
  [1205, 13],
  [2601, 14],
  [2627, 14],
  [4060, 11],
  [10928, 20],
  [18456, 14],
  [40613, 20],
])

/** An error of the server, with SQL Server's number for it. */
export class SqlError extends Error {
  override readonly name = 'SqlError'
  readonly number: number
  /** SQL Server's class: 20 and up end the connection. */
  readonly severity: number

  constructor(number: number, message: string) {
    super(message)
    this.number = number
    this.severity = SEVERITY.get(number) ?? 16
  }
}
