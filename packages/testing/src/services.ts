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
