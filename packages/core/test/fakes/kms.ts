import { openAes256Gcm, sealAes256Gcm } from '../../src/backend.ts'
import type { KeyManagementService, KeyMeta } from '../../src/index.ts'

/** A KMS with one master key. It keeps what it was shown, so that a test can see it wiped. */
export interface FakeKms extends KeyManagementService {
  readonly encrypted: (KeyMeta | undefined)[]
  readonly decrypted: (KeyMeta & { readonly revoked: boolean | undefined })[]
  /** Every plaintext key that went in or out: the same memory, not a copy. */
  readonly seen: Uint8Array[]
  /** Awaited before each call: throw to fail it, wait to delay it. */
  before: ((method: 'encryptKey' | 'decryptKey', signal?: AbortSignal) => void | Promise<void>) | undefined
}

export function createFakeKms(masterKey: Uint8Array = new Uint8Array(32).fill(7)): FakeKms {
  const kms: FakeKms = {
    encrypted: [],
    decrypted: [],
    seen: [],
    before: undefined,
    async encryptKey(key, options) {
      kms.encrypted.push(options?.key)
      kms.seen.push(key)
      await kms.before?.('encryptKey', options?.signal)
      return sealAes256Gcm(key, masterKey)
    },
    async decryptKey(blob, options) {
      kms.decrypted.push({ keyId: '', created: 0, ...options?.key, revoked: options?.revoked })
      await kms.before?.('decryptKey', options?.signal)
      const key = openAes256Gcm(blob, masterKey)
      kms.seen.push(key)
      return key
    },
  }
  return kms
}
