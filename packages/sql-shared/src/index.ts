export { type BorrowedPool, borrowConnections } from './borrowed.ts'
export {
  type CheckSubject,
  type ColumnShape,
  type ColumnTypes,
  finding,
  type IndexShape,
  type Inspection,
} from './check.ts'
export { endSocket } from './end-socket.ts'
export { codeOf, isNetworkError, LostConnectionError } from './errors.ts'
export {
  CALL_OPTIONS,
  type CallLimits,
  type CallOptions,
  checkCallOptions,
  checkName,
  checkPoolOptions,
  checkReplicaReadConsistency,
  checkText,
  POOL_OPTIONS,
  type PoolLimits,
  type PoolOptions,
  type ReplicaReadConsistency,
  wholeNumber,
} from './options.ts'
export { checkKnownParameters, tlsFiles } from './parameters.ts'
export { type ConnectionSource, type Connector, createPool, type Pool } from './pool.ts'
export { type AskedRow, type StoredRow, secondsOf } from './rows.ts'
export {
  checkServerOptions,
  type OwnConnections,
  type ParsedConnectionString,
  type ServerConnection,
  type ServerOptions,
  type ServerRules,
  type ServerSettings,
} from './server-options.ts'
export { inTime } from './settle.ts'
export {
  createSqlMetastore,
  type ErrorKind,
  PAGE_ROWS,
  type SqlDialect,
  type SqlMetastore,
  type SqlMetastoreSettings,
} from './sql-metastore.ts'
export { isPlainText, MAX_CREATED, utcText } from './text.ts'
export { isLocalHost, type TlsOptions, type TlsSettings, tlsSettings } from './tls.ts'
export { parseUrl, type UrlParts } from './url.ts'
