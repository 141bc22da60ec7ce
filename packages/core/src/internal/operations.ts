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
    // No async functions: each would add a promise and some turns to every operation that waits.
    run(operation) {
      if (closed) return Promise.reject(new ClosedError(`the ${what} is closed`))
      running += 1
      const end = (): void => {
        running -= 1
        wakeWhenIdle()
      }
      let work: ReturnType<typeof operation>
      try {
        work = operation()
      } catch (error) {
        end()
        return Promise.reject(error)
      }
      work.then(end, end)
      return work
    },
    track(work) {
      tracked += 1
      const end = (): void => {
        tracked -= 1
        wakeWhenIdle()
      }
      work.then(end, end)
      return work
    },
    close() {
      closed = true
    },
    idle() {
      return running + tracked === 0 ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve))
    },
  }
}
