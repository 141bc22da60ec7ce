/** AWS's names for "slow down", which come with status 400. */
const THROTTLED = new Set([
  'LimitExceededException',
  'RequestLimitExceeded',
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
  const refused = status !== undefined && status >= 400 && status < 500 && status !== 429
  return refused && !THROTTLED.has(name) ? 'terminal' : 'transient'
}

/** The name that AWS gave an error, such as `AccessDeniedException`. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}

function statusOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null || !('$metadata' in error)) return undefined
  const { $metadata } = error
  if (typeof $metadata !== 'object' || $metadata === null || !('httpStatusCode' in $metadata)) return undefined
  return typeof $metadata.httpStatusCode === 'number' ? $metadata.httpStatusCode : undefined
}
