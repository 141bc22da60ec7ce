import type { AsherahConfig } from '@asherah/config'
import type { EnvelopeKeyRecord, Metastore } from '@asherah/core'
import type { LogEvent, MetricsEvent } from '../hooks.ts'
import type { ErrorFields } from './error-fields.ts'

/** Where the shared numbers are: the count of what was sent to the thread that asks, 1 for the start … */
export const REPLIES = 0
/** … and signs of life while something is asked, or {@link ENDED}. */
export const BEATS = 1
export const ENDED = -1
export const BEAT_MS = 250

/** What the worker is asked. `engine` numbers the clients of one JavaScript environment. */
export type Request =
  | { readonly op: 'open'; readonly engine: number; readonly config: AsherahConfig }
  | { readonly op: 'close'; readonly engine: number }
  | { readonly op: 'adopt'; readonly engine: number; readonly rows: readonly EnvelopeKeyRecord[] }
  | {
      readonly op: 'encrypt'
      readonly engine: number
      readonly partitionId: string
      readonly input: SharedArrayBuffer
      readonly length: number
    }
  | {
      readonly op: 'decrypt'
      readonly engine: number
      readonly partitionId: string
      readonly record: string | Uint8Array
      readonly output: SharedArrayBuffer
    }
  | { readonly op: 'load'; readonly engine: number; readonly keyId: string; readonly created: number }
  | {
      readonly op: 'loadLatest'
      readonly engine: number
      readonly keyId: string
      readonly notAfter: number | undefined
    }
  | {
      readonly op: 'decryptKey'
      readonly engine: number
      readonly row: EnvelopeKeyRecord
      readonly output: SharedArrayBuffer
    }
  | { readonly op: 'store'; readonly engine: number; readonly record: EnvelopeKeyRecord }

/** A request as it is sent. */
export interface Envelope {
  readonly id: number
  readonly request: Request
}

/** What the worker answers: the wire text, a length in `output`, a row, whether it was inserted, what was opened. */
export type Answer = string | number | boolean | EnvelopeKeyRecord | Opened | null

/** What this thread must know of the worker's metastore to make ids as it does. */
export type Opened = Pick<Metastore, 'regionSuffix' | 'maxKeyId'>

/** What comes back. */
export type Reply =
  | { readonly id: number; readonly ok: true; readonly answer: Answer }
  | { readonly id: number; readonly ok: false; readonly error: ErrorFields }
  | { readonly log: LogEvent }
  | { readonly metric: MetricsEvent }
