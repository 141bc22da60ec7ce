import type { Call } from './contracts/call.ts'
import { AsherahError, InvalidConfigError, InvalidInputError } from './errors.ts'
import type { FactoryParts } from './internal/factory-wiring.ts'
import { checkKnownOptions } from './internal/options.ts'

/** Options of `SessionFactory.warm`. */
export interface WarmOptions extends Call {
  /** How many partitions are loaded at once. Default 16; 1 to 1,024. */
  readonly concurrency?: number
}

/** How it went for one partition. */
export type WarmOutcome =
  | { readonly partitionId: string; readonly ok: true }
  | { readonly partitionId: string; readonly ok: false; readonly error: AsherahError }

const DEFAULT_CONCURRENCY = 16
const MAX_CONCURRENCY = 1_024

/** Loads the key of each partition, few at once. */
export async function warmPartitions(
  parts: FactoryParts,
  partitionIds: Iterable<string>,
  options: WarmOptions,
): Promise<WarmOutcome[]> {
  const concurrency = concurrencyOf(options)
  parts.operations.check()
  if (!parts.keepsKeys) {
    throw new InvalidConfigError(
      'warm needs a policy with cacheSessions or sharedIntermediateKeyCache, and cacheIntermediateKeys: without them no key outlives its session',
    )
  }
  const ids = iteratorOf(partitionIds)
  const call: Call = options.signal === undefined ? {} : { signal: options.signal }
  const outcomes: WarmOutcome[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let id = ids.next(); id.done !== true; id = ids.next()) {
      const at = next++
      outcomes[at] = await warmOne(parts, id.value, call)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  return outcomes
}

async function warmOne(parts: FactoryParts, partitionId: string, call: Call): Promise<WarmOutcome> {
  try {
    const lease = parts.lease(partitionId)
    try {
      await lease.core.warm(call)
    } finally {
      lease.release()
    }
    return { partitionId, ok: true }
  } catch (error) {
    if (!(error instanceof AsherahError)) throw error
    return { partitionId, ok: false, error }
  }
}

function iteratorOf(partitionIds: Iterable<string>): Iterator<string> {
  const given: unknown = partitionIds
  if (typeof given === 'object' && given !== null && Symbol.iterator in given) return partitionIds[Symbol.iterator]()
  throw new InvalidInputError('warm takes partition ids: an array or another iterable of strings')
}

function concurrencyOf(options: WarmOptions): number {
  checkKnownOptions('warm', options, ['concurrency', 'signal'])
  const { concurrency = DEFAULT_CONCURRENCY } = options
  if (Number.isSafeInteger(concurrency) && concurrency >= 1 && concurrency <= MAX_CONCURRENCY) return concurrency
  throw new InvalidConfigError(`warm option concurrency is a whole number from 1 to ${MAX_CONCURRENCY}`)
}
