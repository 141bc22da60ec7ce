import { AbortedError } from '@asherah/core/backend'

/** @throws AbortedError */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new AbortedError('the metastore call was aborted', { cause: signal.reason })
}
