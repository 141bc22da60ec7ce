// Fills a factory with keys as a user to whom the lock limit applies, and looks at every key's bytes.
// Usage: prlimit --memlock=N:N node limit.ts KIND COUNT [OPTIONS as JSON]
import { AsherahError, type Secret } from '@asherah/core/backend'
import {
  createEnclaveMemory,
  createProtectedMemory,
  secureMemoryReport,
  secureMemoryStats,
} from '@asherah/secure-memory'
import { lockedByProcess, lockLimit } from '../../src/internal/system.ts'

const [kind = '', count = '0', options = '{}'] = process.argv.slice(2)

secureMemoryReport() // loads the native code while it can still be read
if (process.getuid?.() === 0) {
  process.setgroups?.([])
  process.setgid?.(65_534)
  process.setuid?.(65_534)
}

/** Bytes that tell which key they are. */
function bytesOf(i: number): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, at) => (Math.imul(i + 1, 2_654_435_761) >>> (at % 24)) + at * (i % 251))
}

function isRight(bytes: Uint8Array, i: number): boolean {
  return Buffer.compare(bytes, bytesOf(i)) === 0
}

function run(): Record<string, unknown> {
  let error: { code: string; message: string } | undefined
  const attempt = <T>(action: () => T): T | undefined => {
    try {
      return action()
    } catch (caught) {
      if (!(caught instanceof AsherahError)) throw caught
      error = { code: caught.code, message: caught.message }
      return undefined
    }
  }
  const factory = attempt(() =>
    kind === 'enclave' ? createEnclaveMemory(JSON.parse(options)) : createProtectedMemory(JSON.parse(options)),
  )
  if (factory === undefined) return { made: 0, wrong: 0, error }
  const keys: Secret[] = []
  while (keys.length < Number(count)) {
    const key = attempt(() => factory.fromBytes(bytesOf(keys.length)))
    if (key === undefined) break
    keys.push(key)
  }
  let wrong = 0
  for (const [i, key] of keys.entries()) if (!key.withBytes((bytes) => isRight(bytes, i))) wrong += 1
  // Inside one another, where the pages that are left must do.
  const nested = attempt(() => keys[0]?.withBytes((a) => keys[1]?.withBytes((b) => isRight(a, 0) && isRight(b, 1))))
  const stats = factory.stats()
  const threadLockedBytes = secureMemoryStats().lockedBytes
  const kernelLockedBytes = lockedByProcess()
  for (const key of keys) key.close()
  const closed = factory.stats()
  factory.close()
  return {
    uid: process.getuid?.(),
    limit: lockLimit()?.soft,
    made: keys.length,
    wrong,
    nested,
    error,
    stats,
    threadLockedBytes,
    kernelLockedBytes,
    closed,
    lockedAtTheEnd: lockedByProcess(),
  }
}

console.log(JSON.stringify(run()))
