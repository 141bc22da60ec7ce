/** AWS's names for "slow down" and "too slow", which come with status 400. */
const PASSING = new Set([
  'LimitExceededException',
  'RequestLimitExceeded',
  'RequestTimeout',
  'RequestTimeoutException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
])

/**
 * Whether the same call might succeed later. Terminal are the refusals (status 4xx): access denied, a disabled or missing
 * key, a ciphertext that is not this key's. Throttling, server errors and network errors are transient.
 */
export function classify(error: unknown): 'transient' | 'terminal' {
  const name = nameOf(error)
  if (name === 'CredentialsProviderError') return 'terminal'
  const status = statusOf(error)
  const refused = status !== undefined && status >= 400 && status < 500 && status !== 408 && status !== 429
  return refused && !PASSING.has(name) ? 'terminal' : 'transient'
}

/** The name that AWS gave an error, such as `AccessDeniedException`. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}

/** The name, or Node's code where the name says nothing: `ECONNREFUSED` of an `Error`. */
export function reasonOf(error: unknown): string {
  const name = nameOf(error)
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'string' && /^(Aggregate)?Error$/.test(name) ? code : name
}

/**
 * The error, for a cause: but of an answer that cannot be read, the SDK's error and Node's quote the bytes or keep them, and
 * the data key is among them.
 */
export function withoutAnswer(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  // A service's exception has a `$fault`; what else has a `$response` comes from the reading of it.
  const isUnreadable = 'rawPacket' in error || ('$response' in error && !('$fault' in error))
  if (!isUnreadable) return error
  const status = statusOf(error)
  return new Error(`the answer cannot be read (${nameOf(error)}${status === undefined ? '' : `, status ${status}`})`)
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined
  const { $metadata } = error
  if (typeof $metadata !== 'object' || $metadata === null || !('httpStatusCode' in $metadata)) return undefined
  return typeof $metadata.httpStatusCode === 'number' ? $metadata.httpStatusCode : undefined
}
