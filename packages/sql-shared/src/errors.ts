import { AbortedError, MetastoreError } from '@asherah/core/backend'

/**
 * The connection ended, or no answer came in time: whether the statement took effect is not known, and it may be run
 * again. Adapters throw it where a driver has no code for this.
 */
export class LostConnectionError extends Error {
  override readonly name = 'LostConnectionError'
}

/** What Node says of a server that is away for a moment. Not ENOTFOUND: a wrong name is an error of configuration. */
const NETWORK_CODES: ReadonlySet<unknown> = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
])

/** True for a {@link LostConnectionError}, and for what Node says of a connection that failed. */
export function isNetworkError(error: unknown): boolean {
  return error instanceof LostConnectionError || NETWORK_CODES.has(codeOf(error))
}

/** The `code` of an error, whatever its class. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/**
 * @param what Where it happened: `PostgreSQL store`.
 * @param hint What to do about it.
 */
export function toMetastoreError(what: string, error: unknown, hint?: string): MetastoreError {
  const message = error instanceof Error ? error.message : ''
  const code = codeOf(error)
  const shown = code === undefined || message.includes(String(code)) ? message : `${message} (${String(code)})`.trim()
  const advice = hint === undefined ? '' : `; ${hint}`
  return new MetastoreError(`${what}: ${shown || 'unknown failure'}${advice}`, { cause: error })
}

/** @throws AbortedError whose cause is the signal's reason. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortedError(signal)
}

/** The error of a call whose signal was aborted. */
export function abortedError(signal: AbortSignal): AbortedError {
  return new AbortedError('the metastore call was aborted', { cause: signal.reason })
}
