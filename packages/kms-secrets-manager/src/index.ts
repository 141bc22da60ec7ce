export type { SecretsManagerClientLike, SendOptions } from './client.ts'
export type { SecretsManagerKmsOptions } from './options.ts'
export { createSecretsManagerKms, type SecretsManagerKms } from './secrets-manager-kms.ts'
