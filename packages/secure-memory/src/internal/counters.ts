/** What one factory, or the whole thread, has. */
export class Counters {
  /** Secrets made so far. */
  allocated = 0
  /** Secrets that are open. */
  inUse = 0
  inUseHighWater = 0
  /** The lengths of the open secrets. */
  inUseBytes = 0
  /** Open secrets whose encrypted form is in ordinary memory. */
  inOrdinaryMemory = 0
  lockedBytes = 0
  lockedBytesHighWater = 0
  /** Page sets that could not be locked, and are used all the same (`allowUnlocked`). */
  unlockedBytes = 0

  secretMade(length: number, ordinary: boolean): void {
    this.allocated += 1
    this.inUse += 1
    this.inUseBytes += length
    if (ordinary) this.inOrdinaryMemory += 1
    if (this.inUse > this.inUseHighWater) this.inUseHighWater = this.inUse
  }

  secretsGone(count: number, bytes: number, ordinary: number): void {
    this.inUse -= count
    this.inUseBytes -= bytes
    this.inOrdinaryMemory -= ordinary
  }

  pagesTaken(bytes: number, locked: boolean): void {
    if (!locked) {
      this.unlockedBytes += bytes
      return
    }
    this.lockedBytes += bytes
    if (this.lockedBytes > this.lockedBytesHighWater) this.lockedBytesHighWater = this.lockedBytes
  }

  pagesGiven(bytes: number, locked: boolean): void {
    if (locked) this.lockedBytes -= bytes
    else this.unlockedBytes -= bytes
  }
}

/** Everything of this thread. A worker has its own. */
export const threadCounters: Counters = new Counters()

/** Counts a secret of a factory, for the factory and the thread. */
export function countMade(factory: Counters, length: number, ordinary: boolean): void {
  factory.secretMade(length, ordinary)
  threadCounters.secretMade(length, ordinary)
}

/** The other way round. */
export function countGone(factory: Counters, length: number, ordinary: boolean): void {
  factory.secretsGone(1, length, ordinary ? 1 : 0)
  threadCounters.secretsGone(1, length, ordinary ? 1 : 0)
}

/** Every secret of the factory is gone. */
export function countAllGone(factory: Counters): void {
  const { inUse, inUseBytes, inOrdinaryMemory } = factory
  factory.secretsGone(inUse, inUseBytes, inOrdinaryMemory)
  threadCounters.secretsGone(inUse, inUseBytes, inOrdinaryMemory)
}
