export type { EntraCredential, MssqlConfig } from './config.ts'
export { createMssqlMetastore, type MssqlMetastore } from './mssql-metastore.ts'
export type { MssqlPool, MssqlRequest } from './mssql-pool.ts'
export type { MssqlMetastoreOptions } from './options.ts'
