export { createMssqlMetastore, type MssqlMetastore } from './mssql-metastore.ts'
export type { MssqlPool, MssqlRequest } from './mssql-pool.ts'
export type { EntraCredential, MssqlConfig, MssqlMetastoreOptions } from './options.ts'
