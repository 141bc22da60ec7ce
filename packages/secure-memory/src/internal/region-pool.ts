import type { Counters } from './counters.ts'
import { lockLimitError } from './limit-errors.ts'
import { Region } from './region.ts'
import { pageBytes } from './system.ts'

/** For whom a region is taken. */
export interface RegionUser {
  readonly kind: 'protected' | 'enclave'
  readonly counters: Counters
  /** Take memory that cannot be locked, rather than throw. */
  readonly allowUnlocked: boolean
}

/** Idle regions of this thread by their number of pages: locked, zeroed, writable. */
const idle = new Map<number, Region[]>()
let idlePages = 0
/** So many idle pages stay while a factory is open: making a page set costs ten times as much as using one again. */
const KEPT_PAGES = 4
let users = 0
let trimming = false

/** Call once for each factory that takes regions. */
export function joinPool(): void {
  users += 1
}

/** The last factory that leaves frees what is idle. */
export function leavePool(): void {
  users -= 1
  if (users === 0) trim(0)
}

/**
 * A zeroed, writable region of at least `length` bytes.
 *
 * @throws SecureMemoryError when it cannot be locked, unless the user allows that.
 */
export function takeRegion(length: number, user: RegionUser): Region {
  const region = reuse(length) ?? make(length, user)
  user.counters.pagesTaken(region.bytes, region.locked)
  return region
}

/** Detaches every view of the region, wipes it, and keeps it for the next one that asks in this turn. */
export function giveRegion(region: Region, user: RegionUser): void {
  if (!region.locked) {
    freeRegion(region, user)
    return
  }
  resetRegion(region, user)
  user.counters.pagesGiven(region.bytes, true)
  const pages = region.bytes / pageBytes()
  const same = idle.get(pages)
  if (same === undefined) idle.set(pages, [region])
  else same.push(region)
  idlePages += pages
  if (users === 0) trim(0)
  else scheduleTrim()
}

/** Detaches every view of the region and wipes it; it stays the user's. */
export function resetRegion(region: Region, user: RegionUser): void {
  try {
    region.reset()
  } catch (error) {
    if (region.freed) user.counters.pagesGiven(region.bytes, region.locked) // an action took it
    throw error
  }
}

/** Detaches every view of the region, wipes and frees it at once. */
export function freeRegion(region: Region, user: RegionUser): void {
  region.free()
  user.counters.pagesGiven(region.bytes, region.locked)
}

/** Frees every idle region; true when there was one. */
export function freeIdleRegions(): boolean {
  const some = idlePages > 0
  trim(0)
  return some
}

/** Powers of two, so that regions can be used again. */
function pagesFor(length: number): number {
  let pages = 1
  while (pages * pageBytes() - 16 < length) pages *= 2
  return pages
}

function reuse(length: number): Region | undefined {
  const pages = pagesFor(length)
  const region = idle.get(pages)?.pop()
  if (region !== undefined) idlePages -= pages
  return region
}

function make(length: number, user: RegionUser): Region {
  const pages = pagesFor(length)
  const first = new Region(pages)
  if (first.locked) return first
  // What is idle counts against the limit: without it there may be room.
  if (freeIdleRegions()) {
    first.free()
    const second = new Region(pages)
    if (second.locked || user.allowUnlocked) return second
    second.free()
  } else {
    if (user.allowUnlocked) return first
    first.free()
  }
  throw lockLimitError(pages * pageBytes(), user.kind)
}

/** At the end of the turn: a burst of secrets that are made and closed uses the same few regions. */
function scheduleTrim(): void {
  if (trimming || idlePages <= KEPT_PAGES) return
  trimming = true
  setImmediate(() => {
    trimming = false
    trim(users === 0 ? 0 : KEPT_PAGES)
  })
}

function trim(keptPages: number): void {
  for (const [pages, regions] of [...idle].sort(([a], [b]) => b - a)) {
    while (idlePages > keptPages) {
      const region = regions.pop()
      if (region === undefined) break
      idlePages -= pages
      region.free()
    }
    if (regions.length === 0) idle.delete(pages)
  }
}
