import { ClosedError } from '../errors.ts'

/** Counts what is in flight, so that a close can wait for it. */
export interface Operations {
  readonly active: number
  readonly closed: boolean
  /** @throws ClosedError after {@link close}. */
  check(): void
  /** Runs an operation and counts it until it settles. */
  run<T>(operation: () => Promise<T>): Promise<T>
  /** Counts work that was begun for operations, even after {@link close}. */
  track<T>(work: Promise<T>): Promise<T>
  /** Refuses new operations. */
  close(): void
  /** Resolves when nothing is in flight. */
  idle(): Promise<void>
}

/** @param what Names the closed thing in the error. */
export function createOperations(what: string): Operations {
  let active = 0
  let closed = false
  const waiting = new Set<() => void>()
  const leave = (): void => {
    active -= 1
    if (active > 0) return
    for (const wake of waiting) wake()
    waiting.clear()
  }
  const check = (): void => {
    if (closed) throw new ClosedError(`the ${what} is closed`)
  }
  const track = async <T>(work: Promise<T>): Promise<T> => {
    active += 1
    try {
      return await work
    } finally {
      leave()
    }
  }
  return {
    get active() {
      return active
    },
    get closed() {
      return closed
    },
    check,
    async run(operation) {
      check()
      active += 1
      try {
        return await operation()
      } finally {
        leave()
      }
    },
    track,
    close() {
      closed = true
    },
    idle() {
      return active === 0 ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve))
    },
  }
}
