/** A bind: text or a number, or text that goes as a CLOB. */
export type OracleBind = string | number | { readonly val: string; readonly type: unknown }

/** What we use of an `ExecuteOptions` of `oracledb`. */
export interface OracleExecuteOptions {
  readonly autoCommit?: boolean
  readonly outFormat?: number
  /** The types in which columns are fetched. */
  readonly fetchTypeHandler?: (metadata: { readonly dbType?: unknown }) => { readonly type: unknown } | undefined
}

/** What we use of a `Connection` of `oracledb`. */
export interface OracleConnection {
  execute(
    text: string,
    binds: Readonly<Record<string, OracleBind>>,
    options: OracleExecuteOptions,
  ): Promise<{ readonly rows?: unknown; readonly rowsAffected?: number | undefined }>
  /** Stops the statement that runs. */
  break?(): Promise<void>
  close(options?: { readonly drop: boolean }): Promise<void>
  isHealthy?(): boolean
}

/** What we use of a `Pool` of `oracledb`. */
export interface OraclePool {
  getConnection(): Promise<OracleConnection>
}
