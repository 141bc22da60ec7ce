import type { AsherahConfig } from '@asherah/config'
import type { EnvelopeKeyRecord } from '@asherah/core'
import type { LogEvent, MetricsEvent } from '../hooks.ts'
import type { ErrorFields } from './error-fields.ts'

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
  | { readonly op: 'store'; readonly engine: number; readonly record: EnvelopeKeyRecord }

/** A request as it is sent. */
export interface Envelope {
  readonly id: number
  readonly request: Request
}

/** What the worker answers: the wire text, the plaintext's length in `output`, a row, whether it was inserted. */
export type Answer = string | number | boolean | EnvelopeKeyRecord | null

/** What comes back. */
export type Reply =
  | { readonly id: number; readonly ok: true; readonly answer: Answer }
  | { readonly id: number; readonly ok: false; readonly error: ErrorFields }
  | { readonly log: LogEvent }
  | { readonly metric: MetricsEvent }
