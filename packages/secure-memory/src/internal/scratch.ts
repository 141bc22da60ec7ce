import type { Region } from './region.ts'
import { freeRegion, giveRegion, type RegionUser, resetRegion, takeRegion } from './region-pool.ts'

/**
 * Locked page sets in which secrets are opened, one secret in each: an action's view never shows another one's bytes.
 *
 * One of them is kept for the factory's life, so that at the lock limit there is always room to use a secret.
 */
export class Scratch {
  readonly #user: RegionUser
  readonly #kept: Region
  #keptIsFree = true
  readonly #out = new Set<Region>()
  #closed = false

  /** @throws SecureMemoryError when the kept page cannot be locked, unless the user allows that. */
  constructor(user: RegionUser) {
    this.#user = user
    this.#kept = takeRegion(1, user)
  }

  /** @throws SecureMemoryError when more pages are needed and cannot be locked. */
  lease(length: number): Region {
    let region = this.#kept
    if (this.#keptIsFree && length <= region.capacity) this.#keptIsFree = false
    else region = takeRegion(length, this.#user)
    this.#out.add(region)
    return region
  }

  /**
   * Detaches the views of the region and wipes it.
   *
   * @throws SecureMemoryError when the action took the memory.
   */
  giveBack(region: Region): void {
    if (!this.#out.delete(region)) return // wiped by `close(true)`
    if (region !== this.#kept || this.#closed) {
      giveRegion(region, this.#user)
      return
    }
    resetRegion(region, this.#user)
    this.#keptIsFree = true
  }

  /** @param atOnce Wipe what running actions see, too; else that happens when they end. */
  close(atOnce: boolean): void {
    this.#closed = true
    if (this.#keptIsFree) giveRegion(this.#kept, this.#user)
    if (!atOnce) return
    for (const region of this.#out) freeRegion(region, this.#user)
    this.#out.clear()
  }
}
