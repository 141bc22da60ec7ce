import { SecureMemoryError } from '@asherah/core/backend'
import { lockLimitError } from './limit-errors.ts'
import { Region } from './region.ts'
import { freeIdleRegions, type RegionUser } from './region-pool.ts'
import { ignoresLockLimit, lockedByProcess, lockLimit, pageBytes } from './system.ts'

/** Memory that is cut into slots of one size. */
export interface Slab {
  readonly memory: Uint8Array
  readonly slotBytes: number
  readonly slots: number
  /** Undefined: the slab is in ordinary memory. */
  readonly region: Region | undefined
  /** Slots from here on were never used. */
  next: number
  readonly returned: number[]
  used: number
}

/** What to do when no more memory can be locked. */
export type OnLockLimit = 'encrypt' | 'throw'

/** Options of {@link SlotAllocator}. */
export interface SlotOptions {
  readonly onLockLimit: OnLockLimit
  /** Called for each slab that could not be locked. */
  onOrdinary(): void
}

const MAX_SLAB_PAGES = 256
const ORDINARY_SLAB_BYTES = 65_536
const MAX_ORDINARY_SLAB_BYTES = 1_048_576
/** Left for the pages in which secrets are opened: without them nothing could be used. */
const SPARE_PAGES = 4
const FINE_STEP = 16
const FINE_LIMIT = 1_024
/** Above this, a slot has a slab of its own. */
const SHARED_LIMIT = 32_768

interface SizeClass {
  readonly open: Set<Slab>
  slabs: number
}

/**
 * Slots for sealed secrets: many in few locked regions, and past the lock limit in ordinary memory, as they are encrypted.
 *
 * Regions double from 1 page to 256, so that a few keys cost a page and a million cost some fifty regions.
 */
export class SlotAllocator {
  readonly #user: RegionUser
  readonly #options: SlotOptions
  readonly #classes = new Map<number, SizeClass>()
  readonly #slabs = new Set<Slab>()

  constructor(user: RegionUser, options: SlotOptions) {
    this.#user = user
    this.#options = options
  }

  /** A slab with a free slot of at least `length` bytes, which is the caller's next call of {@link take}. */
  slabFor(length: number): Slab {
    const slotBytes = slotSize(length)
    let known = this.#classes.get(slotBytes)
    if (known === undefined) {
      known = { open: new Set(), slabs: 0 }
      this.#classes.set(slotBytes, known)
    }
    for (const slab of known.open) return slab
    const slab = this.#grow(slotBytes, known.slabs)
    known.slabs += 1
    known.open.add(slab)
    this.#slabs.add(slab)
    return slab
  }

  /** The number of a free slot. */
  take(slab: Slab): number {
    const returned = slab.returned.pop()
    const slot = returned ?? slab.next
    if (returned === undefined) slab.next += 1
    slab.used += 1
    if (slab.used === slab.slots) this.#classes.get(slab.slotBytes)?.open.delete(slab)
    return slot
  }

  /** Wipes a slot; frees its slab when that is empty and there is another one with room. */
  give(slab: Slab, slot: number): void {
    if (!this.#slabs.has(slab)) return // all were wiped
    const start = slot * slab.slotBytes
    slab.memory.fill(0, start, start + slab.slotBytes)
    const known = this.#classes.get(slab.slotBytes)
    if (known === undefined) throw new SecureMemoryError('a slot has no size class')
    slab.returned.push(slot)
    slab.used -= 1
    known.open.add(slab)
    const spare = known.open.size > 1 || slab.slots === 1
    if (slab.used > 0 || !spare) return
    known.open.delete(slab)
    known.slabs -= 1
    if (known.slabs === 0) this.#classes.delete(slab.slotBytes)
    this.#drop(slab)
  }

  /** Wipes and frees everything. */
  clear(): void {
    for (const slab of this.#slabs) this.#drop(slab)
    this.#classes.clear()
  }

  #drop(slab: Slab): void {
    this.#slabs.delete(slab)
    if (slab.region === undefined) {
      slab.memory.fill(0)
      return
    }
    this.#user.counters.pagesGiven(slab.region.bytes, true)
    slab.region.free()
  }

  #grow(slotBytes: number, siblings: number): Slab {
    const least = Math.ceil((slotBytes + FINE_STEP) / pageBytes())
    const wanted = slotBytes > SHARED_LIMIT ? least : Math.max(least, Math.min(2 ** siblings, MAX_SLAB_PAGES))
    let pages = Math.min(wanted, lockablePages())
    for (; pages >= least; pages >>= 1) {
      const region = this.#lockedRegion(pages)
      if (region !== undefined) return newSlab(region.window(region.capacity), slotBytes, region)
    }
    if (this.#options.onLockLimit === 'throw') throw lockLimitError(least * pageBytes(), this.#user.kind)
    this.#options.onOrdinary()
    const bytes = Math.min(ORDINARY_SLAB_BYTES * 2 ** Math.min(siblings, 16), MAX_ORDINARY_SLAB_BYTES)
    return newSlab(new Uint8Array(slotBytes > SHARED_LIMIT ? slotBytes : bytes), slotBytes, undefined)
  }

  #lockedRegion(pages: number): Region | undefined {
    let region: Region
    try {
      region = new Region(pages)
    } catch (error) {
      // No more page sets: the slab goes where those go that cannot be locked.
      if (error instanceof SecureMemoryError && this.#options.onLockLimit === 'encrypt') return undefined
      throw error
    }
    if (!region.locked) {
      region.free()
      return undefined
    }
    this.#user.counters.pagesTaken(region.bytes, true)
    return region
  }
}

/** What the lock limit leaves, in pages. */
function lockablePages(): number {
  const limit = lockLimit()?.soft ?? Number.POSITIVE_INFINITY
  if (limit === Number.POSITIVE_INFINITY || ignoresLockLimit()) return Number.POSITIVE_INFINITY
  freeIdleRegions()
  return Math.floor((limit - (lockedByProcess() ?? 0)) / pageBytes()) - SPARE_PAGES
}

function newSlab(memory: Uint8Array, slotBytes: number, region: Region | undefined): Slab {
  const slots = Math.floor(memory.byteLength / slotBytes)
  return { memory, slotBytes, slots, region, next: 0, returned: [], used: 0 }
}

/** Few sizes, so that a freed slot fits the next secret. */
function slotSize(length: number): number {
  if (length <= FINE_LIMIT) return Math.ceil(length / FINE_STEP) * FINE_STEP
  if (length > SHARED_LIMIT) return length
  return 2 ** Math.ceil(Math.log2(length))
}
