export { createInsecureTestKms, type InsecureTestKmsOptions } from './insecure-test-kms.ts'
export {
  generateMasterKeyFile,
  type MasterKeyFileOptions,
  readMasterKeyFile,
} from './master-key-file.ts'
export type { StaticKmsOptions } from './options.ts'
export { createStaticKms, type StaticKms } from './static-kms.ts'
