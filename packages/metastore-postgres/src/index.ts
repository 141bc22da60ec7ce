export type { PostgresMetastoreOptions } from './options.ts'
export type { PgClient, PgPool, PgPoolClient, PgQuery, PgResult } from './pg-types.ts'
export { createPostgresMetastore, type PostgresMetastore } from './postgres-metastore.ts'
