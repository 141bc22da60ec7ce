import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** Where the keys are whose cost is asked for. */
export type CachedKeyKind = 'heap' | 'enclave' | 'protected' | 'native'

/** What one child process measures. */
export interface MemoryPoint {
  /**
   * A `CachedKeyKind`: live bytes (V8's heap and external, and what the library has locked) with every key cached, and
   * without the metastore's rows. `native-sessions` and `crate-sessions`: resident bytes with 1,000 cached sessions, and
   * with the rows of each side's own memory metastore.
   */
  readonly kind: CachedKeyKind | 'native-sessions' | 'crate-sessions'
  readonly partitions: number
}

const CHILD = fileURLToPath(new URL('./memory-child.ts', import.meta.url))

/** Bytes that a partition adds, in a fresh process: what another point left behind would count as free. */
export async function memoryPerPartition({ kind, partitions }: MemoryPoint): Promise<number> {
  const args = [...process.execArgv, '--expose-gc', CHILD, kind, String(partitions)]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  const bytes = Number(stdout)
  if (stdout === '' || !Number.isFinite(bytes)) throw new Error(`the memory child of ${kind} gave no number`)
  return bytes / partitions
}
