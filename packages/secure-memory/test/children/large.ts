// A secret that is larger than the lock limit, as a user to whom it applies. Usage: prlimit --memlock=N:N node large.ts
import { createHash } from 'node:crypto'
import { AsherahError } from '@asherah/core/backend'
import { createEnclaveMemory, secureMemoryReport } from '@asherah/secure-memory'

secureMemoryReport() // loads the native code while it can still be read
if (process.getuid?.() === 0) {
  process.setgroups?.([])
  process.setgid?.(65_534)
  process.setuid?.(65_534)
}
const factory = createEnclaveMemory()
const bytes = Uint8Array.from({ length: 1_000_000 }, (_, i) => i % 253)
const expected = createHash('sha256').update(bytes).digest('hex')
const secret = factory.fromBytes(bytes)
const small = factory.createRandom(32)
const read = createHash('sha256')
for await (const part of secret.reader()) read.update(part)
let error: { code: string; message: string } | undefined
try {
  secret.withBytes(() => {})
} catch (caught) {
  if (!(caught instanceof AsherahError)) throw caught
  error = { code: caught.code, message: caught.message }
}
const smallOneWorks = small.withBytes((view) => view.byteLength) === 32
console.log(JSON.stringify({ right: read.digest('hex') === expected, error, smallOneWorks, stats: factory.stats() }))
