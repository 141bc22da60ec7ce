import type { KeyMeta } from '../types.ts'

/** Rotations that no caller waits for: few at once, so that keys that expire together do not flood the metastore and the KMS. */
export interface RotationQueue {
  /** Keys whose rotation waits or runs, the oldest first. */
  readonly keys: readonly KeyMeta[]
  readonly waiting: number
  readonly running: number
  readonly done: number
  readonly failed: number
  /** Runs `rotate` when its turn comes. Resolves when it has ended, or was dropped. */
  add(key: KeyMeta, rotate: () => Promise<void>): Promise<void>
  /** Drops what waits: a factory that closes rotates no more. */
  close(): void
}

interface Rotation {
  readonly key: KeyMeta
  readonly rotate: () => Promise<void>
  readonly resolve: () => void
  readonly reject: (reason: unknown) => void
}

/** How many rotations run at once. */
const AT_ONCE = 8

/** Makes the queue of one factory. */
export function createRotationQueue(): RotationQueue {
  const waiting = new Set<Rotation>()
  const running = new Set<Rotation>()
  let done = 0
  let failed = 0

  const run = async (rotation: Rotation): Promise<void> => {
    running.add(rotation)
    try {
      await rotation.rotate()
      done += 1
      rotation.resolve()
    } catch (error) {
      failed += 1
      rotation.reject(error)
    } finally {
      running.delete(rotation)
      next()
    }
  }
  const next = (): void => {
    for (const rotation of waiting) {
      if (running.size >= AT_ONCE) return
      waiting.delete(rotation)
      void run(rotation)
    }
  }

  return {
    get keys() {
      return [...running, ...waiting].map(({ key }) => key)
    },
    get waiting() {
      return waiting.size
    },
    get running() {
      return running.size
    },
    get done() {
      return done
    },
    get failed() {
      return failed
    },
    add(key, rotate) {
      return new Promise((resolve, reject) => {
        waiting.add({ key, rotate, resolve, reject })
        next()
      })
    },
    close() {
      for (const { resolve } of waiting) resolve()
      waiting.clear()
    },
  }
}
