export type { SqliteMetastoreOptions } from './options.ts'
export { createSqliteMetastore, type SqliteMetastore } from './sqlite-metastore.ts'
