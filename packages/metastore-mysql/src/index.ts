export { createMysqlMetastore, type MysqlMetastore } from './mysql-metastore.ts'
export type { MysqlClient, MysqlPool, MysqlPoolConnection, MysqlValue } from './mysql-types.ts'
export type { MysqlMetastoreOptions } from './options.ts'
