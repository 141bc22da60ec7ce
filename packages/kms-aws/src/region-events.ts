import { channel } from 'node:diagnostics_channel'
import type { EventChannel } from '@asherah/core/backend'

/** One KMS call in one region, when it has ended. */
export interface KmsRegionEvent {
  readonly operation: KmsOperation
  readonly region: string
  /**
   * `transient`: throttled, a server's or a network error. `terminal`: the same call would fail again, as with access denied
   * or a disabled key. `timeout`: no answer within `regionTimeoutMs`. `aborted`: the caller's signal, or `timeoutMs`.
   */
  readonly outcome: 'ok' | 'transient' | 'terminal' | 'timeout' | 'aborted'
  readonly durationMs: number
  /** The name of the error, such as `AccessDeniedException`. */
  readonly error?: string
}

/** The KMS calls that this package makes. */
export type KmsOperation = 'GenerateDataKey' | 'Encrypt' | 'Decrypt'

/** `asherah:kms.region` on `node:diagnostics_channel`: every KMS call, by region. Never key bytes. */
export const kmsRegionChannel: EventChannel<KmsRegionEvent> = channel('asherah:kms.region')
