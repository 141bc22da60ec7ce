import { setTimeout as timer } from 'node:timers/promises'
import { checkNotAborted } from '@asherah/core/backend'

/**
 * Waits, unless and until the caller aborts.
 *
 * @throws AbortedError
 */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await timer(ms, undefined, signal === undefined ? {} : { signal }).catch(() => checkNotAborted(signal))
}
