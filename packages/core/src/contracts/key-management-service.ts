import type { KeyMeta } from '../types.ts'
import type { Call } from './call.ts'

/** Wraps and unwraps system keys with a master key that never leaves it. */
export interface KeyManagementService {
  /**
   * Wraps a system key.
   *
   * @param key 32 bytes, the caller's: not kept, not changed, and wiped by the caller afterwards.
   */
  encryptKey(key: Uint8Array, options?: Call & { readonly key?: KeyMeta }): Promise<Uint8Array>
  /**
   * Unwraps a system key.
   *
   * @returns 32 bytes in an `ArrayBuffer` of their own, which the caller owns and wipes.
   */
  decryptKey(
    encryptedKey: Uint8Array,
    options?: Call & { readonly key?: KeyMeta; readonly revoked?: boolean },
  ): Promise<Uint8Array>
}
