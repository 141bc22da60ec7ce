import type { Call } from '../contracts/call.ts'
import { channels } from '../diagnostics.ts'
import { KeyNotFoundError } from '../errors.ts'
import type { EnvelopeKeyRecord, KeyMeta } from '../types.ts'
import { acquireKey, cacheKeyOf, type KeyEntry, type KeyStatus, releaseKey } from './key-entry.ts'
import type { LevelTools, MadeKey } from './key-level.ts'
import { createSingleFlight } from './single-flight.ts'

/** Keys by (id, created): what decrypt reads with, and the parents of what encrypt writes with. */
export interface ExactKeys {
  /** Exactly this key, valid or not. The caller releases it. @throws KeyNotFoundError */
  get(key: KeyMeta, call: Call): Promise<KeyEntry>
  /** The entry of a row that was just read: the cached one if its wrapped key is the same. The caller releases it. */
  entryOf(row: EnvelopeKeyRecord, readStart: number, call: Call, parent?: KeyEntry): Promise<KeyEntry>
  /** A new entry, cached, with one reference. */
  add(row: KeyMeta & { readonly revoked: boolean }, key: MadeKey, readStart: number): KeyEntry
  /** Takes over a row's revocation, which is final. */
  noteRevoked(status: KeyStatus, row: EnvelopeKeyRecord): void
}

/** A read never makes a key and never takes "latest" for an answer. */
export function createExactKeys(tools: LevelTools): ExactKeys {
  const { rules, cache, freshness, metastore, operations } = tools
  const flights = createSingleFlight<KeyEntry>(acquireKey, releaseKey)

  const noteRevoked = (status: KeyStatus, row: EnvelopeKeyRecord): void => {
    if (!row.revoked || status.revoked) return
    status.revoked = true
    const { keyId, created } = status
    if (channels.key.hasSubscribers) channels.key.publish({ event: 'revoked', keyId, created })
  }

  const add: ExactKeys['add'] = ({ keyId, created, revoked }, key, readStart) => {
    const entry: KeyEntry = {
      keyId,
      created,
      cacheKey: cacheKeyOf(keyId, created),
      handle: key.handle,
      encryptedKey: key.encryptedKey,
      status: { keyId, created, revoked, freshness: freshness.since(readStart) },
      parent: key.parent,
      usage: undefined,
      references: 1,
      detached: false,
    }
    cache.put(entry)
    return entry
  }

  const entryOf: ExactKeys['entryOf'] = async (row, readStart, call, parent) => {
    const cached = cache.get(cacheKeyOf(row.keyId, row.created))
    if (cached !== undefined) noteRevoked(cached.status, row)
    if (cached !== undefined && equalBytes(cached.encryptedKey, row.encryptedKey)) {
      freshness.refresh(cached.status.freshness, readStart)
      acquireKey(cached)
      return cached
    }
    const opened = await rules.open(row, call, parent)
    return add(row, { ...opened, encryptedKey: row.encryptedKey }, readStart)
  }

  const load = async (key: KeyMeta, cacheKey: string, signal: AbortSignal): Promise<KeyEntry> => {
    const readStart = freshness.now()
    const row = await tools.reading(cache.get(cacheKey)?.status.freshness, () => metastore.load(key, { signal }))
    if (row !== null) return entryOf(row, readStart, { signal })
    cache.delete(cacheKey)
    const what = rules.kind === 'sk' ? 'system' : 'intermediate'
    throw new KeyNotFoundError(
      `the metastore has no ${what} key ${JSON.stringify(key.keyId)} created ${key.created}`,
      key,
    )
  }

  const fly = (key: KeyMeta, cacheKey: string, signal?: AbortSignal): Promise<KeyEntry> =>
    flights.run(cacheKey, signal, (shared) => operations.track(load(key, cacheKey, shared)))

  const get: ExactKeys['get'] = async (key, call) => {
    const cacheKey = cacheKeyOf(key.keyId, key.created)
    const cached = cache.get(cacheKey)
    if (cached === undefined) {
      tools.publish('miss', key.keyId)
      return fly(key, cacheKey, call.signal)
    }
    const { freshness: age } = cached.status
    const state = freshness.state(age)
    tools.publish(state === 'fresh' ? 'hit' : 'stale', key.keyId)
    acquireKey(cached)
    if (state === 'revalidate' && freshness.now() >= age.retryAt && !flights.has(cacheKey)) {
      tools.behind('REVALIDATION_FAILED', key.keyId, async () => releaseKey(await fly(key, cacheKey)))
    }
    if (state !== 'wait') return cached
    try {
      const entry = await fly(key, cacheKey, call.signal)
      releaseKey(cached)
      return entry
    } catch (error) {
      if (tools.mayGoOn(error, age, key.keyId)) return cached
      releaseKey(cached)
      throw error
    }
  }

  return { get, entryOf, add, noteRevoked }
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0
}
