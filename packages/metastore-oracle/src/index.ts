export type { OracleConfig, OracleMetastoreOptions } from './options.ts'
export { createOracleMetastore, type OracleMetastore } from './oracle-metastore.ts'
export type { OracleBind, OracleConnection, OracleExecuteOptions, OraclePool } from './oracle-types.ts'
