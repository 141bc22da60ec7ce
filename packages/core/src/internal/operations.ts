import { ClosedError } from '../errors.ts'

/** Counts what is in flight, so that a close can wait for it. */
export interface Operations {
  /** Operations in flight; when there is none, the work that is left behind. */
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
  let running = 0
  let tracked = 0
  let closed = false
  const waiting = new Set<() => void>()
  const wakeWhenIdle = (): void => {
    if (running + tracked > 0) return
    for (const wake of waiting) wake()
    waiting.clear()
  }
  const check = (): void => {
    if (closed) throw new ClosedError(`the ${what} is closed`)
  }
  return {
    get active() {
      return running > 0 ? running : tracked
    },
    get closed() {
      return closed
    },
    check,
    async run(operation) {
      check()
      running += 1
      try {
        return await operation()
      } finally {
        running -= 1
        wakeWhenIdle()
      }
    },
    async track(work) {
      tracked += 1
      try {
        return await work
      } finally {
        tracked -= 1
        wakeWhenIdle()
      }
    },
    close() {
      closed = true
    },
    idle() {
      return running + tracked === 0 ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve))
    },
  }
}
