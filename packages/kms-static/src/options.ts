import { checkKnownOptions, InvalidConfigError, type SecretFactory } from '@asherah/core/backend'
import { masterKeyFrom, masterKeyFromHex } from './master-key.ts'

/** Options of `createStaticKms`: exactly one of `masterKey` and `masterKeyHex`. */
export interface StaticKmsOptions {
  /** 32 bytes, which are copied (yours to wipe), or text of 32 UTF-8 bytes. Never padded, cut or hashed. */
  readonly masterKey?: Uint8Array | string
  /** 64 hex digits. */
  readonly masterKeyHex?: string
  /** Where the master key is kept; default core's `createHeapSecrets()`. Yours to close. */
  readonly secrets?: SecretFactory
}

/** @returns The master key, in memory of its own, for the caller to wipe. @throws InvalidConfigError */
export function checkOptions(options: StaticKmsOptions): Uint8Array {
  checkKnownOptions('createStaticKms', options, ['masterKey', 'masterKeyHex', 'secrets'])
  const { masterKey, masterKeyHex } = options
  checkSecrets(options.secrets)
  if (masterKey !== undefined && masterKeyHex !== undefined) {
    throw new InvalidConfigError('give masterKey or masterKeyHex, not both')
  }
  if (masterKey !== undefined) return masterKeyFrom(masterKey)
  if (masterKeyHex !== undefined) return masterKeyFromHex(masterKeyHex)
  throw new InvalidConfigError(
    'masterKey (32 bytes) or masterKeyHex (64 hex digits) is missing: there is no default key',
  )
}

/** @throws InvalidConfigError */
export function checkSecrets(secrets: unknown): void {
  if (secrets === undefined) return
  const isFactory = typeof secrets === 'object' && secrets !== null && 'fromBytes' in secrets
  if (!isFactory) throw new InvalidConfigError('secrets must be a SecretFactory, such as createHeapSecrets()')
}
