/** A promise that the test settles. */
export interface Deferred<T = void> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(reason: unknown): void
}

export function createDeferred<T = void>(): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  let reject: (reason: unknown) => void = () => {}
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve: (value) => resolve(value), reject: (reason) => reject(reason) }
}

/** Lets all work go on that waits for nothing but promises. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Whether a promise still waits when all work has gone on that waits for nothing but promises. */
export async function isPending(promise: Promise<unknown>): Promise<boolean> {
  let pending = true
  const note = (): void => {
    pending = false
  }
  promise.then(note, note)
  await settle()
  return pending
}

/** Waits until a condition holds, by turns of the event loop; fails if it never does. */
export async function until(condition: () => boolean, what = 'the condition'): Promise<void> {
  for (let turn = 0; turn < 10_000; turn += 1) {
    if (condition()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error(`${what} did not come true`)
}
