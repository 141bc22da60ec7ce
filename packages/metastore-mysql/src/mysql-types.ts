/** The part of a pool of `mysql2/promise` that the metastore uses. */
export interface MysqlPool {
  getConnection(): Promise<MysqlPoolConnection>
}

/** The part of a pool's connection of `mysql2/promise` that the metastore uses. */
export interface MysqlPoolConnection extends MysqlClient {
  release(): void
  destroy(): void
}

/** The part of a connection of `mysql2/promise` that the metastore uses. */
export interface MysqlClient {
  /** A prepared statement: its values never become part of a text. */
  execute(sql: string, values: MysqlValue[]): Promise<readonly [unknown, unknown]>
  query(sql: string): Promise<readonly [unknown, unknown]>
}

/** A value of a statement. */
export type MysqlValue = string | Buffer
