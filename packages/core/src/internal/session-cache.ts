import type { Cache } from '../contracts/cache.ts'
import type { Clock } from '../contracts/clock.ts'
import type { CryptoPolicy } from '../crypto-policy.ts'
import { type CacheEvent, channels } from '../diagnostics.ts'
import type { CacheCounters } from './counters.ts'
import type { SessionCore } from './session-core.ts'

/** A core and who uses it. */
interface SharedSession {
  readonly core: SessionCore
  uses: number
  cached: boolean
  /** Monotonic ms of the last release. */
  idleSince: number
}

/** A use of a core; giving it back is idempotent. */
export interface SessionLease {
  readonly core: SessionCore
  release(): void
}

/** Gives sessions their cores: shared ones by partition, or one each. */
export interface SessionCache {
  /** Cached sessions; 0 where none are. */
  readonly size: number
  /** Uses that were not given back. */
  readonly leases: number
  lease(partitionId: string): SessionLease
  /** Closes every core, in use or not: their keys are wiped when the operations that use them end. */
  close(): void
}

/** How many idle sessions one `lease` looks at: expiry needs no timer and no pass over all. */
const SWEEP = 2

/** @param counters Of the cache. @param create Makes the core of a partition. */
export function createSessionCache(
  policy: CryptoPolicy,
  clock: Clock,
  counters: CacheCounters,
  create: (partitionId: string) => SessionCore,
): SessionCache {
  if (!policy.cacheSessions) return createUnshared(create)
  const { sessionCache, sessionCacheTtlMs } = policy
  /** Idle sessions, the longest idle first. */
  const idle = new Map<string, SharedSession>()
  /** Sessions that are in use or cached: one in use may have left the cache. */
  const open = new Set<SharedSession>()
  const end = (session: SharedSession): void => {
    session.core.close()
    open.delete(session)
  }
  const publish = (event: CacheEvent['event'], keyId: string): void => {
    counters[event] += 1
    if (channels.cache.hasSubscribers) channels.cache.publish({ cache: 'session', event, keyId })
  }
  const cache: Cache<SharedSession> = sessionCache.create({
    maxSize: sessionCache.kind === 'simple' ? Number.POSITIVE_INFINITY : policy.sessionCacheMaxSize,
    onEvict(partitionId, session, why) {
      session.cached = false
      if (idle.get(partitionId) === session) idle.delete(partitionId)
      if (session.uses === 0) end(session)
      if (why === 'evict') publish('evict', partitionId)
    },
  })
  const isExpired = (session: SharedSession): boolean =>
    session.uses === 0 && clock.monotonicMs() - session.idleSince > sessionCacheTtlMs
  const sweep = (): void => {
    let looked = 0
    for (const [partitionId, session] of idle) {
      if (looked === SWEEP || !isExpired(session)) return
      looked += 1
      cache.delete(partitionId)
    }
  }

  const add = (partitionId: string): SharedSession => {
    // The use is counted first: a cache that declines the session must not close it.
    const session = { core: create(partitionId), uses: 1, cached: true, idleSince: clock.monotonicMs() }
    open.add(session)
    cache.set(partitionId, session)
    return session
  }
  const use = (partitionId: string): SharedSession => {
    const found = cache.get(partitionId)
    if (found !== undefined && !isExpired(found)) {
      found.uses += 1
      idle.delete(partitionId)
      publish('hit', partitionId)
      return found
    }
    publish(found === undefined ? 'miss' : 'stale', partitionId)
    if (found !== undefined) cache.delete(partitionId)
    return add(partitionId)
  }
  const release = (partitionId: string, session: SharedSession): void => {
    session.uses -= 1
    if (session.uses > 0) return
    if (!session.cached) {
      end(session)
      return
    }
    session.idleSince = clock.monotonicMs()
    idle.delete(partitionId)
    idle.set(partitionId, session)
  }

  let leases = 0
  return {
    get size() {
      return cache.size
    },
    get leases() {
      return leases
    },
    lease(partitionId) {
      sweep()
      const session = use(partitionId)
      leases += 1
      return once(session.core, () => {
        leases -= 1
        release(partitionId, session)
      })
    },
    close() {
      cache.close()
      for (const session of open) end(session)
    },
  }
}

function createUnshared(create: (partitionId: string) => SessionCore): SessionCache {
  const cores = new Set<SessionCore>()
  let leases = 0
  const end = (core: SessionCore): void => {
    core.close()
    cores.delete(core)
  }
  return {
    size: 0,
    get leases() {
      return leases
    },
    lease(partitionId) {
      const core = create(partitionId)
      cores.add(core)
      leases += 1
      return once(core, () => {
        leases -= 1
        end(core)
      })
    },
    close() {
      for (const core of cores) end(core)
    },
  }
}

function once(core: SessionCore, release: () => void): SessionLease {
  let released = false
  return {
    core,
    release() {
      if (released) return
      released = true
      release()
    },
  }
}
