/** What every call that may do I/O takes. */
export interface Call {
  /** Abort the call: it rejects with `AbortedError`. Work that other callers wait for goes on. */
  readonly signal?: AbortSignal
}
