import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SoakPath } from './soak-factory.ts'

/** How many threads run at a time. */
const AT_ONCE = 8

/** Starts `count` threads, each of which encrypts and decrypts with a factory of its own and ends. @returns how many ended well. */
export async function runWorkers(count: number, path: SoakPath): Promise<number> {
  let next = 0
  let ended = 0
  const line = async (): Promise<void> => {
    while (next < count) {
      next += 1
      const worker = new Worker(new URL('./worker.ts', import.meta.url), {
        workerData: path,
        // V8's flags are the process's.
        execArgv: process.execArgv.filter((flag) => flag.startsWith('--conditions')),
      })
      const [code]: unknown[] = await once(worker, 'exit')
      if (code === 0) ended += 1
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count) }, line))
  return ended
}
