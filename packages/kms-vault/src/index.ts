export type {
  VaultAppRoleAuth,
  VaultAuth,
  VaultCertAuth,
  VaultKmsOptions,
  VaultKubernetesAuth,
  VaultTokenAuth,
} from './options.ts'
export { createVaultKms, type VaultKms } from './vault-kms.ts'
