import { SecureMemoryError } from '@asherah/core/backend'
import { threadCounters } from './counters.ts'
import { leavePool } from './region-pool.ts'

/** A factory, as `purge` sees it. Its secrets must keep it alive. */
export interface Purgeable {
  /** Wipes every secret, and what running actions see of them. */
  purge(): void
}

/** Weak, so that a factory which nobody closed is collected with its secrets, and its memory wiped. */
const factories = new Set<WeakRef<Purgeable>>()
const collected = new FinalizationRegistry<WeakRef<Purgeable>>((reference) => {
  if (factories.delete(reference)) leavePool()
})

/** @returns The call that takes the factory out again. */
export function registerFactory(factory: Purgeable): () => void {
  const reference = new WeakRef(factory)
  factories.add(reference)
  collected.register(factory, reference, reference)
  return () => {
    factories.delete(reference)
    collected.unregister(reference)
  }
}

/**
 * Wipes every live secret of this thread at once: of every factory, and under running actions, whose views become empty.
 *
 * Every use of such a secret is then a `ClosedError`. The factories stay open and make new secrets.
 *
 * @returns How many secrets were wiped.
 * @throws SecureMemoryError when the system refuses to make a page writable; the other secrets are wiped all the same.
 */
export function purge(): number {
  const count = threadCounters.inUse
  const failures: unknown[] = []
  for (const reference of factories) {
    try {
      reference.deref()?.purge()
    } catch (error) {
      failures.push(error) // the others must be wiped all the same
    }
  }
  if (failures.length > 0) throw new SecureMemoryError('not every secret could be wiped', { cause: failures[0] })
  return count - threadCounters.inUse
}
