import { setTimeout as timer } from 'node:timers/promises'
import { AbortedError } from '@asherah/core/backend'

/** @throws AbortedError */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new AbortedError('the metastore call was aborted', { cause: signal.reason })
}

/**
 * Waits, unless and until the caller aborts.
 *
 * @throws AbortedError
 */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await timer(ms, undefined, signal === undefined ? {} : { signal }).catch(() => throwIfAborted(signal))
}
