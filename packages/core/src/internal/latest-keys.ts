import { channels } from '../diagnostics.ts'
import { AbortedError, FutureKeyError, KeyNotFoundError, MetastoreError } from '../errors.ts'
import type { EnvelopeKeyRecord } from '../types.ts'
import type { ExactKeys } from './exact-keys.ts'
import { backOffMs } from './freshness.ts'
import { acquired, type KeyCache } from './key-cache.ts'
import { acquireKey, cacheKeyOf, type KeyEntry, releaseKey, type WriteKey } from './key-entry.ts'
import type { KeyLevel, LevelTools, WriteCall } from './key-level.ts'
import { callOf, createSingleFlight } from './single-flight.ts'

/** Keys that may write. */
export interface LatestKeys {
  /** A key that may write, made if need be. The caller releases it. */
  get: KeyLevel['latest']
  /** Why a key may not write; undefined: it may. */
  refusal(key: WriteKey, now?: number): 'expired' | 'unusable' | undefined
  /** Whether a key may write, if only once more in queued rotation. */
  mayWrite: KeyLevel['mayWrite']
  /** The latest `created`, in Unix seconds, that this machine's clock believes. */
  notAfter(now?: number): number
  /**
   * Whether a row that "latest" has shown can be of a key that writes. Takes over its revocation.
   *
   * @throws WrongPartitionError
   */
  mayBeLatest(cache: KeyCache, row: EnvelopeKeyRecord, call?: WriteCall): boolean
  /** Makes an entry the key that writes. @returns undefined, and does nothing, when it may not. */
  setLatest(cache: KeyCache, entry: KeyEntry, readStart: number, call?: WriteCall): WriteKey | undefined
}

/** Load the latest key or create one: steps 1 to 3 of encrypt in `key-hierarchy`. */
export function createLatestKeys(tools: LevelTools, exact: ExactKeys): LatestKeys {
  const { rules, policy, clock, freshness, metastore, operations } = tools
  const flights = createSingleFlight<WriteKey>(
    (key) => acquireKey(key.entry),
    (key) => releaseKey(key.entry),
  )

  const notAfter = (now = clock.now()): number => Math.floor((now + policy.clockSkewMs) / 1_000)
  const isExpired = (created: number, now = clock.now()): boolean => now > created * 1_000 + policy.expireAfterMs
  const maySkipExpiry = (call: WriteCall): boolean => policy.rotation === 'queued' && call.inline !== true

  // One reading of the clock: on the hot path a second one costs a tenth of a small row.
  const refusal: LatestKeys['refusal'] = ({ entry, usage }, now = clock.now()) => {
    const { parent } = entry
    if (entry.status.revoked || parent?.revoked === true) return 'unusable'
    if (usage.count >= policy.maxUsesPerKey || entry.created > notAfter(now)) return 'unusable'
    return isExpired(entry.created, now) || (parent !== undefined && isExpired(parent.created, now))
      ? 'expired'
      : undefined
  }
  const mayWrite = (key: WriteKey, call: WriteCall = {}): boolean => {
    const why = refusal(key)
    return why === undefined || (why === 'expired' && maySkipExpiry(call))
  }

  const latestKey = (entry: KeyEntry, readStart: number): WriteKey => {
    // The entry holds on to its count: the bounded map forgets those that were not asked for lately.
    const usage = entry.usage ?? tools.usageOf(entry.cacheKey)
    entry.usage = usage
    return { entry, usage, freshness: freshness.since(readStart) }
  }

  const mayBeLatest: LatestKeys['mayBeLatest'] = (cache, row, call = {}) => {
    // The parent's name before anything else: never create beside another service's key.
    const hasParent = rules.hasParent(row)
    if (row.revoked) {
      const cached = cache.get(cacheKeyOf(row.keyId, row.created))
      if (cached !== undefined) exact.noteRevoked(cached.status, row)
      return false
    }
    const isOld = isExpired(row.created) || (row.parentKeyMeta !== undefined && isExpired(row.parentKeyMeta.created))
    return hasParent && (!isOld || maySkipExpiry(call))
  }
  const setLatest: LatestKeys['setLatest'] = (cache, entry, readStart, call) => {
    const key = latestKey(entry, readStart)
    if (!mayWrite(key, call)) return undefined
    cache.setLatest(key)
    return key
  }

  /** A row that "latest" has shown, as a key that may write, with a reference; undefined: a new key has to be made. */
  const writeKeyOf = async (
    cache: KeyCache,
    row: EnvelopeKeyRecord,
    readStart: number,
    call: WriteCall,
  ): Promise<WriteKey | undefined> => {
    if (!mayBeLatest(cache, row, call)) return undefined
    const known = exact.known(cache, row, readStart)
    let entry = known
    try {
      const parent = await rules.parentOf(row, known === undefined, call)
      if (parent === null) return undefined
      try {
        if (parent?.status.revoked === true) return undefined
        entry ??= await exact.opened(cache, row, readStart, call, parent?.entry)
        entry.parent = parent?.status
      } finally {
        if (parent?.entry !== undefined) releaseKey(parent.entry)
      }
      const key = setLatest(cache, entry, readStart, call)
      if (key !== undefined) entry = undefined // the caller's now
      return key
    } finally {
      if (entry !== undefined) releaseKey(entry)
    }
  }

  const create = async (
    cache: KeyCache,
    keyId: string,
    latest: EnvelopeKeyRecord | null,
    call: WriteCall,
  ): Promise<WriteKey> => {
    const precision = policy.createDatePrecisionMs
    const truncated = (Math.floor(clock.now() / precision) * precision) / 1_000
    // 0 is no time that a record can name: a clock that starts in 1970 would make unreadable keys.
    const created = Math.max(truncated, latest === null ? 1 : latest.created + 1)
    if (created > notAfter()) {
      throw new FutureKeyError(
        `a key newer than the latest ${JSON.stringify(keyId)} would be dated beyond the allowed clock skew: check this machine's clock`,
      )
    }
    const made = await rules.make({ keyId, created }, call)
    let kept = false
    try {
      const { parent, encryptedKey } = made
      const record: EnvelopeKeyRecord = {
        keyId,
        created,
        encryptedKey,
        revoked: false,
        ...(parent && { parentKeyMeta: { keyId: parent.keyId, created: parent.created } }),
      }
      const storeStart = freshness.now()
      let stored = false
      let failure: unknown
      try {
        stored = await metastore.store(record, call)
      } catch (error) {
        if (error instanceof AbortedError) throw error
        failure = error // the write may have landed before its answer was lost: look once more
      }
      if (!stored) return await winner(cache, keyId, failure, call)
      kept = true
      const entry = exact.add(cache, record, made, storeStart)
      const key = latestKey(entry, storeStart)
      cache.setLatest(key)
      if (channels.key.hasSubscribers) {
        channels.key.publish({ event: latest === null ? 'created' : 'rotated', keyId, created })
      }
      return key
    } finally {
      if (!kept) made.handle.close()
    }
  }

  /** The key that is there after `store` did not insert, or failed. It must be one that may write, and is never looped for. */
  const winner = async (cache: KeyCache, keyId: string, failure: unknown, call: WriteCall): Promise<WriteKey> => {
    let found = 'is not there'
    try {
      const readStart = freshness.now()
      const row = await metastore.loadLatest(keyId, notAfter(), call)
      const key = row === null ? undefined : await writeKeyOf(cache, row, readStart, call)
      if (key !== undefined) return key
      if (row !== null) found = 'is not valid for writing'
    } catch (error) {
      if (failure === undefined || error instanceof AbortedError) throw error
    }
    if (failure !== undefined) {
      throw new MetastoreError(`the metastore could not store a new key ${JSON.stringify(keyId)}`, { cause: failure })
    }
    throw new MetastoreError(`the key ${JSON.stringify(keyId)} that another process stored ${found}`)
  }

  const load = async (cache: KeyCache, keyId: string, call: WriteCall): Promise<WriteKey> => {
    const readStart = freshness.now()
    const stale = cache.latest(keyId)?.freshness
    const row = await tools.reading(stale, () => metastore.loadLatest(keyId, notAfter(), call))
    const key = row === null ? undefined : await writeKeyOf(cache, row, readStart, call)
    if (key !== undefined) return key
    // In queued rotation the expired key goes on writing until the new one is there.
    if (policy.rotation === 'inline' || call.inline !== true) cache.dropLatest(keyId)
    return create(cache, keyId, row, call)
  }

  const fly = (cache: KeyCache, keyId: string, call: WriteCall): Promise<WriteKey> => {
    const { inline, signal } = call
    // An inline rotation must not be answered by a flight that may keep the expired key.
    return flights.run(flightOf(cache, keyId, call), signal, (shared) =>
      operations.track(load(cache, keyId, inline === undefined ? callOf(shared) : { ...callOf(shared), inline })),
    )
  }

  /** The cached latest key, with a reference, if it may be used without reading its row first. */
  const cachedKey = async (cache: KeyCache, key: WriteKey, call: WriteCall): Promise<WriteKey | undefined> => {
    const state = freshness.state(key.freshness)
    if (state === 'wait' || !mayWrite(key, call)) return undefined
    acquired(key)
    let kept = false
    try {
      // Only the parent's row is read when only the parent is stale: once for all partitions.
      await rules.refreshParent(key.entry, call)
      kept = mayWrite(key, call)
    } catch (error) {
      // A parent that has vanished, or whose row says revoked, is no failure: the latest row is read, and a new key made.
      if (!(error instanceof KeyNotFoundError) && key.entry.parent?.revoked !== true) throw error
    } finally {
      if (!kept) releaseKey(key.entry)
    }
    if (!kept) return undefined
    const { keyId } = key.entry
    if (
      state === 'revalidate' &&
      freshness.now() >= key.freshness.retryAt &&
      !flights.has(flightOf(cache, keyId, {}))
    ) {
      tools.behind('REVALIDATION_FAILED', keyId, async () => releaseKey((await fly(cache, keyId, {})).entry))
    }
    return key
  }

  const loadedKey = async (cache: KeyCache, keyId: string, cached: WriteKey, call: WriteCall): Promise<WriteKey> => {
    acquired(cached)
    try {
      return await fly(cache, keyId, call)
    } catch (error) {
      if (!mayWrite(cached, call) || !freshness.inGrace(cached.freshness)) throw error
      // The parent, as stale as a rule, has a re-check and a grace of its own.
      await rules.refreshParent(cached.entry, call)
      if (!mayWrite(cached, call) || !tools.mayGoOn(error, cached.freshness, keyId)) throw error
      return acquired(cached)
    } finally {
      releaseKey(cached.entry)
    }
  }

  /** Queued rotation: an expired key is used once more, and one rotation runs behind, whatever session it is for. */
  const rotateBehind = (cache: KeyCache, key: WriteKey, call: WriteCall): WriteKey => {
    if (!maySkipExpiry(call) || refusal(key) !== 'expired') return key
    const { usage } = key
    const { keyId } = key.entry
    const { retryAt, failures } = usage.rotation ?? { retryAt: 0, failures: 0 }
    if (freshness.now() < retryAt) return key
    usage.rotation = { retryAt: Number.POSITIVE_INFINITY, failures }
    const { created } = key.entry
    const rotation = tools.rotations.add({ keyId, created }, async () => {
      try {
        releaseKey((await fly(cache, keyId, { inline: true })).entry)
        usage.rotation = undefined
      } catch (error) {
        usage.rotation = { retryAt: freshness.now() + backOffMs(failures + 1), failures: failures + 1 }
        throw error
      }
    })
    if (channels.key.hasSubscribers) channels.key.publish({ event: 'rotationQueued', keyId, created })
    tools.behind('ROTATION_FAILED', keyId, () => rotation)
    return key
  }

  return {
    refusal,
    mayWrite,
    notAfter,
    mayBeLatest,
    setLatest,
    async get(cache, keyId, call) {
      const cached = cache.latest(keyId)
      if (cached === undefined) {
        tools.publish('miss', keyId)
        return rotateBehind(cache, await fly(cache, keyId, call), call)
      }
      const usable = await cachedKey(cache, cached, call)
      tools.publish(usable === undefined ? 'stale' : 'hit', keyId)
      return rotateBehind(cache, usable ?? (await loadedKey(cache, keyId, cached, call)), call)
    },
  }
}

function flightOf(cache: KeyCache, keyId: string, call: WriteCall): string {
  return call.inline === true ? `${cache.number}!${keyId}` : `${cache.number}|${keyId}`
}
