import type { Session, SessionFactory } from '@asherah/core'

/** Holds the one session of an `AsherahSession`, where sessions are not kept by partition. */
export interface SessionOwner {
  session?: Session
}

/** The sessions of a client, by partition. */
export interface Sessions {
  /** A session for one call. */
  take(partitionId: string, owner?: SessionOwner): Session
  /** Ends that call; what it began goes on. */
  give(session: Session): void
  close(): void
}

/** How many sessions are kept, and for how long. */
export interface SessionLimits {
  readonly caching: boolean
  readonly maxSize: number
  readonly ttlMs: number
}

interface Kept {
  readonly session: Session
  usedAt: number
}

/**
 * Keeps the sessions that were used last, so that a call needs no new one: the bound is exact, the time runs from the last
 * use, and one that leaves is closed, which lets calls in flight end. The factory's own session cache is off.
 */
export function createSessions(factory: SessionFactory, { caching, maxSize, ttlMs }: SessionLimits): Sessions {
  if (!caching) return createUnkept(factory)
  /** The longest unused first. */
  const kept = new Map<string, Kept>()
  let last: { readonly partitionId: string; readonly entry: Kept } | undefined

  const drop = (partitionId: string, { session }: Kept): void => {
    kept.delete(partitionId)
    if (last?.partitionId === partitionId) last = undefined
    session.close()
  }
  const dropOldest = (now: number): void => {
    for (const [partitionId, entry] of kept) {
      if (kept.size <= maxSize && now - entry.usedAt <= ttlMs) return
      drop(partitionId, entry)
    }
  }
  const add = (partitionId: string, now: number): Kept => {
    const entry = { session: factory.getSession(partitionId), usedAt: now }
    kept.set(partitionId, entry)
    dropOldest(now)
    return entry
  }

  return {
    take(partitionId) {
      const now = performance.now()
      if (last?.partitionId === partitionId && now - last.entry.usedAt <= ttlMs) {
        last.entry.usedAt = now
        return last.entry.session
      }
      let entry = kept.get(partitionId)
      if (entry !== undefined && now - entry.usedAt > ttlMs) {
        drop(partitionId, entry)
        entry = undefined
      }
      if (entry === undefined) entry = add(partitionId, now)
      else {
        kept.delete(partitionId)
        kept.set(partitionId, entry)
        entry.usedAt = now
      }
      last = { partitionId, entry }
      return entry.session
    },
    give() {},
    close() {
      for (const [partitionId, entry] of kept) drop(partitionId, entry)
    },
  }
}

/** A session for each call, or for each `AsherahSession`. */
function createUnkept(factory: SessionFactory): Sessions {
  const owned = new WeakSet<Session>()
  return {
    take(partitionId, owner) {
      if (owner === undefined) return factory.getSession(partitionId)
      owner.session ??= factory.getSession(partitionId)
      owned.add(owner.session)
      return owner.session
    },
    give(session) {
      if (!owned.has(session)) session.close()
    },
    close() {},
  }
}
