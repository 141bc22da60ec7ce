/** The part of a `Pool` of `pg` that the metastore uses. */
export interface PgPool {
  connect(): Promise<PgPoolClient>
}

/** The part of a `PoolClient` of `pg` that the metastore uses. */
export interface PgPoolClient extends PgClient {
  release(destroy?: boolean): void
  /** A client tells here of a connection that ends while it is borrowed. */
  on?(event: 'error', listener: () => void): unknown
  off?(event: 'error', listener: () => void): unknown
}

/** The part of a `Client` of `pg` that the metastore uses. */
export interface PgClient {
  query(query: PgQuery): Promise<PgResult>
}

/** One statement. */
export interface PgQuery {
  /** The server keeps what it made of the text under this name, for the connection. */
  readonly name?: string
  readonly text: string
  readonly values?: (string | number)[]
  /** Every value as the server's text: the caller's own parsers may change what a type gives. */
  readonly types?: { getTypeParser(): (text: string) => string }
}

/** What a statement gives. */
export interface PgResult {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly rowCount: number | null
}
