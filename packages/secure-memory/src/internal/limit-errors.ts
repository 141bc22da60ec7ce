import { SecureMemoryError } from '@asherah/core/backend'
import { lockedByProcess, lockLimit } from './system.ts'

const HOW_TO_RAISE =
  'Raise it with `ulimit -l`, `LimitMEMLOCK=` of the systemd unit, or `docker run --ulimit memlock=BYTES`'
const OTHERWISE =
  'where it cannot be raised (AWS Lambda, Fargate), createEnclaveMemory keeps any number of keys in a few locked pages'
const OTHERWISE_ENCLAVE =
  "a large secret's reader() needs 5 pages whatever its length, and allowUnlocked: true goes on with memory that may be swapped out"

/** What to say when memory cannot be locked: the limit, what is used, and how to raise it. */
export function lockLimitError(neededBytes: number, kind: 'protected' | 'enclave'): SecureMemoryError {
  const limit = lockLimit()?.soft
  const locked = lockedByProcess()
  const state =
    limit === undefined
      ? 'the system does not say its limit'
      : `the limit (RLIMIT_MEMLOCK) is ${formatBytes(limit)}, and this process has ${formatBytes(locked ?? 0)} locked`
  const otherwise = kind === 'enclave' ? OTHERWISE_ENCLAVE : OTHERWISE
  return new SecureMemoryError(
    `${formatBytes(neededBytes)} more could not be locked: ${state}. ${HOW_TO_RAISE}; ${otherwise}`,
  )
}

/** What to say when one more page set might end the process. */
export function mapLimitError(used: number, most: number, maxMapCount: number | undefined): SecureMemoryError {
  const limit =
    maxMapCount === undefined
      ? 'that is the limit of this package'
      : `each takes 4 of the ${maxMapCount} memory mappings that vm.max_map_count allows the process, and without any Node aborts`
  const raise = maxMapCount === undefined ? '' : 'Raise it with `sysctl -w vm.max_map_count=N`; or use '
  return new SecureMemoryError(
    `${used} page sets are in use, of at most ${most}: ${limit}. ${raise}${raise === '' ? 'Use ' : ''}createEnclaveMemory, which keeps many keys in few page sets`,
  )
}

/** Exact, since limits are compared with it. */
export function formatBytes(bytes: number): string {
  return bytes === Number.POSITIVE_INFINITY ? 'unlimited' : `${bytes} bytes`
}
