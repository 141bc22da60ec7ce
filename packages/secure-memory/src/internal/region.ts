/// <reference lib="es2024.arraybuffer" />
import { types } from 'node:util'
import { SecureMemoryError } from '@asherah/core/backend'
import { threadCounters } from './counters.ts'
import { mapLimitError } from './limit-errors.ts'
import { loadSodium, type SecureBuffer, type Sodium } from './sodium.ts'
import { mapCount, maxMapCount, pageBytes } from './system.ts'

/** libsodium's canary stands before the memory that it gives. */
const CANARY_BYTES = 16
const MAPS_PER_REGION = 4
const MAX_REGIONS_ELSEWHERE = 4_096
/** How often the process's mappings are counted: other threads and libraries make some, too. */
const COUNT_MAPS_EVERY = 128

type Access = 'no access' | 'read-only' | 'read-write'

let regions = 0
let allocations = 0

/**
 * A page set of its own: guard pages around it, a canary before it, out of core dumps, and locked if the system allows it.
 *
 * It starts zeroed and writable. Views that leave this package die when `takeBack` moves the memory to a new
 * `ArrayBuffer`, which detaches the old one: no view can outlive its action and meet pages without access, which would end the process.
 */
export class Region {
  /** Bytes that it can hold. */
  readonly capacity: number
  /** Bytes of its pages, as the lock limit counts them. */
  readonly bytes: number
  readonly locked: boolean
  readonly #sodium: Sodium
  #memory: ArrayBuffer
  #window: Uint8Array
  #access: Access = 'read-write'
  #freed = false

  constructor(pages: number) {
    const sodium = loadSodium()
    checkMapCount()
    this.bytes = pages * pageBytes()
    this.capacity = this.bytes - CANARY_BYTES
    this.#sodium = sodium
    const buffer = sodium.sodium_malloc(this.capacity)
    if (buffer.byteLength !== this.capacity) {
      throw new SecureMemoryError(`the system has no memory for a page set of ${this.bytes} bytes`)
    }
    if (!types.isArrayBuffer(buffer.buffer)) throw new SecureMemoryError('sodium-native gave shared memory')
    this.#memory = buffer.buffer
    this.#window = new Uint8Array(this.#memory)
    this.#window.fill(0)
    this.locked = isLocked(sodium, this.#window)
    regions += 1
    threadCounters.pagesTaken(this.bytes, this.locked)
    dropped.register(this, { bytes: this.bytes, locked: this.locked }, this)
  }

  get freed(): boolean {
    return this.#freed
  }

  /**
   * The last `length` bytes: what runs over their end meets the guard page.
   *
   * @throws SecureMemoryError when an action took the memory.
   */
  window(length: number): Uint8Array {
    if (this.#window.byteLength !== length) {
      this.#checkHeld()
      this.#window = new Uint8Array(this.#memory, this.capacity - length, length)
    }
    return this.#window
  }

  /** After this, any access to the pages ends the process. */
  noAccess(): void {
    this.#protect(this.#sodium.sodium_mprotect_noaccess, 'no access')
  }

  /** After this, a write ends the process. */
  readOnly(): void {
    this.#protect(this.#sodium.sodium_mprotect_readonly, 'read-only')
  }

  /** No system call where the pages are writable already. */
  readWrite(): void {
    if (this.#access !== 'read-write') this.#protect(this.#sodium.sodium_mprotect_readwrite, 'read-write')
  }

  /**
   * Detaches every view there is.
   *
   * @throws SecureMemoryError when an action detached the memory itself and so took it; it is wiped when the new owner drops it.
   */
  takeBack(): void {
    const length = this.#window.byteLength
    if (this.#memory.detached) {
      this.#forget()
      throw takenError()
    }
    this.#memory = this.#memory.transfer()
    this.#window = new Uint8Array(this.#memory, this.capacity - length, length)
  }

  /** Detaches every view, and wipes: the region is as new. What was written must be in the window. */
  reset(): void {
    this.takeBack()
    this.readWrite()
    this.#window.fill(0)
  }

  /** Detaches every view, wipes, unlocks and frees; idempotent. Checks the canary: damage ends the process. */
  free(): void {
    if (this.#freed) return
    if (this.#memory.detached) {
      this.#forget()
      return
    }
    this.takeBack()
    this.readWrite()
    const whole: SecureBuffer = Object.assign(Buffer.from(this.#memory), { secure: true as const })
    whole.fill(0)
    // Now, since sodium_free unlocks only in a later turn of the event loop, and the limit is a small one.
    if (this.locked) this.#sodium.sodium_munlock(whole)
    this.#forget()
    this.#sodium.sodium_free(whole)
  }

  /** libsodium takes a detached buffer for one at address 0, and faults. */
  #checkHeld(): void {
    if (this.#memory.detached) throw takenError()
  }

  #protect(protect: (view: Uint8Array) => void, access: Access): void {
    this.#checkHeld()
    try {
      protect(this.#window)
      this.#access = access
    } catch (cause) {
      throw new SecureMemoryError(`the system refused to make a page set of ${this.bytes} bytes ${access}`, { cause })
    }
  }

  #forget(): void {
    this.#freed = true
    dropped.unregister(this)
    forget(this)
  }
}

function takenError(): SecureMemoryError {
  return new SecureMemoryError('an action transferred the memory of a secret away: it may only read it')
}

/** libsodium does not say whether it could lock: a second lock does. */
function isLocked(sodium: Sodium, view: Uint8Array): boolean {
  try {
    sodium.sodium_mlock(view)
    return true
  } catch {
    return false
  }
}

/** A region that nobody holds any more: its memory is collected, too, and libsodium wipes it. */
const dropped = new FinalizationRegistry<{ readonly bytes: number; readonly locked: boolean }>(forget)

function forget(region: { readonly bytes: number; readonly locked: boolean }): void {
  regions -= 1
  threadCounters.pagesGiven(region.bytes, region.locked)
}

/**
 * How many page sets there may be: a third of what the mappings allow, since freed ones are unmapped later, and V8 aborts
 * the process when it gets no mapping.
 */
export function maxRegions(): number {
  const maps = maxMapCount()
  return maps === undefined ? MAX_REGIONS_ELSEWHERE : Math.max(1, Math.floor(maps / MAPS_PER_REGION / 3))
}

let most = 0

function checkMapCount(): void {
  const count = allocations % COUNT_MAPS_EVERY === 0
  allocations += 1
  if (count) {
    most = maxRegions()
    const limit = maxMapCount()
    if (limit !== undefined && mapCount() > limit * 0.75) throw mapLimitError(regions, regions, limit)
  }
  if (regions >= most) throw mapLimitError(regions, most, maxMapCount())
}
