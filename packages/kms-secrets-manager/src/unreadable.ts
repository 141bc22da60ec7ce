/**
 * The error, for a cause: but of an answer that cannot be read, the SDK's error and Node's quote the bytes or keep them, and
 * the master key is among them.
 */
export function withoutAnswer(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  // A service's exception has a `$fault`; what else has a `$response` comes from the reading of it.
  const isUnreadable = 'rawPacket' in error || ('$response' in error && !('$fault' in error))
  return isUnreadable ? new Error(`the answer cannot be read (${error.name})`) : error
}
