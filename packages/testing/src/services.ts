export { preparedFolder } from './services/cache-dir.ts'
export { type Child, type ChildOptions, freePort, httpAnswers, portAnswers, startChild } from './services/child.ts'
export { runTool, type ToolRun } from './services/run-tool.ts'
export {
  type Running,
  type Service,
  type ServiceDefinition,
  ServiceUnavailableError,
  startService,
} from './services/service.ts'
