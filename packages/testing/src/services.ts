export { SEEDED_SECRET } from './seeded-markers.ts'
export type { AwsEndpoint } from './services/aws-endpoint.ts'
export { preparedFolder } from './services/cache-dir.ts'
export { type Child, type ChildOptions, freePort, httpAnswers, portAnswers, startChild } from './services/child.ts'
export { startDynalite } from './services/dynalite.ts'
export { startDynamoDbLocal } from './services/dynamodb-local.ts'
export {
  type HttpFault,
  type HttpFaultChoice,
  type HttpFaultProxy,
  type ProxiedRequest,
  startHttpFaultProxy,
  startTcpFaultProxy,
  type TcpFault,
  type TcpFaultProxy,
} from './services/fault-proxy.ts'
export { startLocalStack } from './services/localstack.ts'
export { startMariaDb } from './services/mariadb.ts'
export { startMoto } from './services/moto.ts'
export { type OracleServer, startOracle } from './services/oracle.ts'
export { startPostgres } from './services/postgres.ts'
export { runTool, type ToolRun } from './services/run-tool.ts'
export {
  type Running,
  type Service,
  type ServiceDefinition,
  ServiceUnavailableError,
  startService,
} from './services/service.ts'
export type { SqlServer, SqlServerOptions, SqlServerProcess } from './services/sql-service.ts'
export { type MssqlServer, startSqlServer } from './services/sqlserver.ts'
export { createTestCertificate, type TestCertificate } from './services/tds/certificate.ts'
export type { LoginFault, StatementFault, TdsFaults } from './services/tds/faults.ts'
export type { Login7 } from './services/tds/login.ts'
export { createTdsServer, type TdsLogin, type TdsServer, type TdsServerOptions } from './services/tds/server.ts'
export type { DatabaseOptions } from './services/tds/sql/database.ts'
export type { ServerError } from './services/tds/tokens.ts'
export {
  type FakeLogin,
  type FakeVault,
  type FakeVaultOptions,
  startFakeVault,
  type VaultFault,
  type VaultRequest,
} from './services/vault.ts'
export type { FakeTokens, TokenSettings } from './services/vault-tokens.ts'
export type { FakeTransit } from './services/vault-transit.ts'
