export type { AsherahConfig } from './asherah-config.ts'
export { type Database, type Route, routeConnectionString } from './connection-string.ts'
export {
  type Backends,
  type ConfiguredFactory,
  createFactoryFromConfig,
  createFactoryOver,
  type FromConfigOptions,
  openBackends,
} from './create-factory.ts'
export { type ConfigKey, configKeys, type KeyGroup, type KeyType } from './key-table.ts'
export { kmsPlan } from './kms-plan.ts'
export { type LoadPackage, loadKms, loadMetastore } from './load-backend.ts'
export { type BackendPlan, metastorePlan } from './metastore-plan.ts'
export { type Plan, planOf } from './plan.ts'
export { type ConfigFinding, reviewConfig } from './review.ts'
export {
  type Environment,
  type Origin,
  readConfigEnvironment,
  readConfigFile,
  readConfigObject,
  readConfigText,
  redactText,
  type Settings,
} from './settings.ts'
