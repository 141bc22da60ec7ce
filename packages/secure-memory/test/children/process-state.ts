// Prints what the process has that a library could change, before and after what its argument says.
import { readFileSync, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import {
  createEnclaveMemory,
  createProtectedMemory,
  createSecretStream,
  hardenProcess,
  secureMemoryReport,
} from '@asherah/secure-memory'

/** Limits, who may read the memory, what core dumps have, signal handlers, listeners, environment. */
function state(): Record<string, unknown> {
  const status = readFileSync('/proc/self/status', 'latin1')
  return {
    limits: readFileSync('/proc/self/limits', 'latin1'),
    memoryOwner: statSync('/proc/self/mem').uid, // root, when a process is not dumpable
    coreFilter: readFileSync('/proc/self/coredump_filter', 'latin1'),
    signals: status.match(/^Sig(?:Ign|Cgt|Blk):.*$/gm),
    listeners: process.eventNames().map((name) => [String(name), process.listenerCount(name)]),
    environment: { ...process.env },
    umask: process.umask(),
    exit: process.exit.toString().length,
  }
}

async function use(): Promise<void> {
  const factories = [createEnclaveMemory(), createProtectedMemory()]
  for (const factory of factories) {
    const secret = factory.createRandom(32)
    secret.withBytes((bytes) => secret.withBytes(() => bytes.byteLength))
    await secret.withBytesAsync(async (bytes) => bytes.byteLength)
  }
  const stream = createSecretStream()
  Readable.from(['text']).pipe(stream.writable)
  for await (const _ of stream.readable);
  secureMemoryReport()
}

const before = state()
await use()
const after = state()
const [level] = process.argv.slice(2)
const hardened =
  level === 'core-dumps' || level === 'debugger' ? { report: hardenProcess(level), state: state() } : undefined
console.log(JSON.stringify({ before, after, hardened }))
if (hardened !== undefined) {
  process.kill(process.pid, 'SIGUSR1')
  await new Promise((resolve) => setTimeout(resolve, 300))
}
