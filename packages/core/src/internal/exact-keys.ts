import { setTimeout as delay } from 'node:timers/promises'
import type { Call } from '../contracts/call.ts'
import { channels } from '../diagnostics.ts'
import { KeyNotFoundError } from '../errors.ts'
import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import type { KeyCache } from './key-cache.ts'
import { acquireKey, cacheKeyOf, type KeyEntry, type KeyStatus, releaseKey } from './key-entry.ts'
import type { LevelTools, MadeKey, ReadCall } from './key-level.ts'
import { abortedError, callOf, createSingleFlight } from './single-flight.ts'

/** Keys by (id, created): what decrypt reads with, and the parents of what encrypt writes with. */
export interface ExactKeys {
  /** Exactly this key, valid or not. The caller releases it. @throws KeyNotFoundError */
  get(cache: KeyCache, key: KeyMeta, call: ReadCall): Promise<KeyEntry>
  /** What the key's row says now, without unwrapping it. @throws KeyNotFoundError */
  status(key: KeyMeta, call: Call): Promise<KeyStatus>
  /** The cached entry of a row that was just read, if its wrapped key is the same. The caller releases it. */
  known(cache: KeyCache, row: EnvelopeKeyRecord, readStart: number): KeyEntry | undefined
  /** Unwraps a row that was just read, and caches the key. The caller releases it. */
  opened(cache: KeyCache, row: EnvelopeKeyRecord, readStart: number, call: Call, parent?: KeyEntry): Promise<KeyEntry>
  /** A new entry, cached, with one reference. */
  add(cache: KeyCache, row: KeyMeta & { readonly revoked: boolean }, key: MadeKey, readStart: number): KeyEntry
  /** Takes over a row's revocation, which is final. */
  noteRevoked(status: KeyStatus, row: EnvelopeKeyRecord): void
}

/** A read never makes a key and never takes "latest" for an answer. */
export function createExactKeys(tools: LevelTools): ExactKeys {
  const { rules, counters, policy, freshness, metastore, operations } = tools
  const flights = createSingleFlight<KeyEntry>(acquireKey, releaseKey)
  const statusFlights = createSingleFlight<KeyStatus>(noReference, noReference)

  const noteRevoked = (status: KeyStatus, row: EnvelopeKeyRecord): void => {
    if (!row.revoked || status.revoked) return
    status.revoked = true
    const { keyId, created } = status
    if (channels.key.hasSubscribers) channels.key.publish({ event: 'revoked', keyId, created })
  }

  const statusOf = ({ keyId, created, revoked }: Omit<KeyStatus, 'freshness'>, readStart: number): KeyStatus => ({
    keyId,
    created,
    revoked,
    freshness: freshness.since(readStart),
  })

  const add: ExactKeys['add'] = (cache, row, key, readStart) => {
    const { keyId, created } = row
    const entry: KeyEntry = {
      keyId,
      created,
      cacheKey: cacheKeyOf(keyId, created),
      handle: key.handle,
      encryptedKey: key.encryptedKey,
      status: statusOf(row, readStart),
      parent: key.parent,
      usage: undefined,
      references: 1,
      detached: false,
      counters,
    }
    counters.open += 1
    cache.put(entry)
    return entry
  }

  const known: ExactKeys['known'] = (cache, row, readStart) => {
    const cached = cache.get(cacheKeyOf(row.keyId, row.created))
    if (cached === undefined) return undefined
    noteRevoked(cached.status, row)
    if (!equalBytes(cached.encryptedKey, row.encryptedKey)) return undefined
    freshness.refresh(cached.status.freshness, readStart)
    acquireKey(cached)
    return cached
  }

  const opened: ExactKeys['opened'] = async (cache, row, readStart, call, parent) => {
    const { handle, parent: status } = await rules.open(row, call, parent)
    return add(cache, row, { handle, parent: status, encryptedKey: row.encryptedKey }, readStart)
  }

  /**
   * A row, from the first read that finds it; null after two. The second is for a replica that lags behind the process that
   * stored the row: whoever names a key exactly has seen it somewhere.
   */
  const readRow = async (key: KeyMeta, mayBeMissing: boolean, call: Call): Promise<EnvelopeKeyRecord | null> => {
    const row = await metastore.load(key, call)
    if (row !== null || mayBeMissing || policy.missingKeyRetryMs === 0) return row
    await pause(policy.missingKeyRetryMs, call.signal)
    return metastore.load(key, call)
  }

  const missing = ({ keyId, created }: KeyMeta): KeyNotFoundError => {
    const what = rules.kind === 'sk' ? 'system' : 'intermediate'
    return new KeyNotFoundError(`the metastore has no ${what} key ${JSON.stringify(keyId)} created ${created}`, {
      keyId,
      created,
    })
  }

  const load = async (cache: KeyCache, key: KeyMeta, cacheKey: string, call: ReadCall): Promise<KeyEntry> => {
    const cached = cache.get(cacheKey)
    const readStart = freshness.now()
    // A key that was here had its row: that it has gone is no lag.
    const mayBeMissing = cached !== undefined || call.mayBeMissing === true
    const row = await tools.reading(cached?.status.freshness, () => readRow(key, mayBeMissing, call))
    if (row !== null) return known(cache, row, readStart) ?? opened(cache, row, readStart, call)
    cache.delete(cacheKey)
    throw missing(key)
  }

  const readStatus = async (key: KeyMeta, call: Call): Promise<KeyStatus> => {
    const readStart = freshness.now()
    const row = await readRow(key, false, call)
    if (row === null) throw missing(key)
    return statusOf(row, readStart)
  }

  const fly = (cache: KeyCache, key: KeyMeta, cacheKey: string, call: ReadCall = {}): Promise<KeyEntry> =>
    flights.run(flightOf(cache, cacheKey, call), call.signal, (signal) =>
      operations.track(
        load(cache, key, cacheKey, call.mayBeMissing === true ? { ...call, ...callOf(signal) } : callOf(signal)),
      ),
    )

  const get: ExactKeys['get'] = async (cache, key, call) => {
    const cacheKey = cacheKeyOf(key.keyId, key.created)
    const cached = cache.get(cacheKey)
    if (cached === undefined) {
      tools.publish('miss', key.keyId)
      return fly(cache, key, cacheKey, call)
    }
    const { freshness: age } = cached.status
    const state = freshness.state(age)
    tools.publish(state === 'fresh' ? 'hit' : 'stale', key.keyId)
    acquireKey(cached)
    if (state === 'revalidate' && freshness.now() >= age.retryAt && !flights.has(flightOf(cache, cacheKey))) {
      tools.behind('REVALIDATION_FAILED', key.keyId, async () => releaseKey(await fly(cache, key, cacheKey)))
    }
    if (state !== 'wait') return cached
    try {
      const entry = await fly(cache, key, cacheKey, call)
      releaseKey(cached)
      return entry
    } catch (error) {
      if (tools.mayGoOn(error, age, key.keyId)) return cached
      releaseKey(cached)
      throw error
    }
  }

  return {
    get,
    status: (key, call) =>
      statusFlights.run(cacheKeyOf(key.keyId, key.created), call.signal, (signal) =>
        operations.track(readStatus(key, callOf(signal))),
      ),
    known,
    opened,
    add,
    noteRevoked,
  }
}

/** A candidate, which likely is not there, is not waited for: its load is not one to join. */
function flightOf(cache: KeyCache, cacheKey: string, call: ReadCall = {}): string {
  return call.mayBeMissing === true ? `${cache.number}?${cacheKey}` : `${cache.number}|${cacheKey}`
}

function noReference(): void {}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0
}

/** @throws AbortedError */
async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, callOf(signal))
  } catch (error) {
    throw signal?.aborted === true ? abortedError(signal) : error
  }
}
