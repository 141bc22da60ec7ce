// What secure memory costs against heap memory: main-thread CPU time, in turn, and memory for each key.
// Usage: pnpm --filter @asherah/secure-memory measure [ROUNDS]
import { SessionFactory } from '@asherah/core'
import { createHeapSecrets, type Secret, type SecretFactory } from '@asherah/core/backend'
import { createEnclaveMemory, createProtectedMemory } from '@asherah/secure-memory'
import { createMapMetastore, createTestKms } from './support/fakes.ts'

const rounds = Number(process.argv[2] ?? 7)
/** The clock of CPU time ticks every 10 ms on some systems. */
const SAMPLE_MS = 300

const memories: Readonly<Record<string, () => SecretFactory>> = {
  heap: createHeapSecrets,
  enclave: () => createEnclaveMemory(),
  'enclave, writable views': () => createEnclaveMemory({ writableViews: true }),
  protected: () => createProtectedMemory(),
}

/** One kind of work on one kind of memory; a batch is enough for a sample to have many. */
interface Side {
  readonly name: string
  readonly batch: number
  run(): Promise<void> | void
}

function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage()
  return user + system
}

/** Microseconds of main-thread CPU time an operation. */
async function sample(side: Side): Promise<number> {
  let operations = 0
  const start = cpuMicroseconds()
  const end = performance.now() + SAMPLE_MS
  let used = 0
  do {
    await side.run()
    operations += side.batch
    used = cpuMicroseconds() - start
  } while (performance.now() < end || used < SAMPLE_MS * 1_000)
  return used / operations
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

async function compare(what: string, sides: readonly Side[]): Promise<void> {
  const samples = new Map<string, number[]>(sides.map(({ name }) => [name, []]))
  for (const side of sides) await sample(side) // warm
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? sides : sides.toReversed()
    for (const side of order) samples.get(side.name)?.push(await sample(side))
  }
  const heap = samples.get('heap') ?? []
  console.log(`\n${what}`)
  for (const [name, values] of samples) {
    const ratio = median(values.map((value, i) => value / (heap[i] ?? Number.NaN)))
    console.log(
      `  ${name.padEnd(24)} ${median(values).toFixed(2).padStart(9)} µs   ${ratio.toFixed(2).padStart(6)} × heap`,
    )
  }
}

async function sessionSides(bytes: number, work: 'encrypt' | 'decrypt', yielding: boolean): Promise<Side[]> {
  const sides: Side[] = []
  for (const [name, create] of Object.entries(memories)) {
    const shared = { service: 'service', product: 'product', metastore: createMapMetastore(), kms: createTestKms() }
    const session = new SessionFactory({ ...shared, secrets: create() }).getSession('partition')
    const plaintext = new Uint8Array(bytes).fill(7)
    const record = await session.encryptToJson(plaintext)
    const batch = bytes > 10_000 ? 20 : 200
    const run = async (): Promise<void> => {
      for (let i = 0; i < batch; i++) {
        if (work === 'encrypt') await session.encryptToJson(plaintext)
        else await session.decrypt(record)
        if (yielding) await new Promise((resolve) => setImmediate(resolve))
      }
    }
    sides.push({ name, batch, run })
  }
  return sides
}

function secretSides(work: (secrets: SecretFactory, secret: Secret) => void): Side[] {
  return Object.entries(memories).map(([name, create]) => {
    const secrets = create()
    const secret = secrets.createRandom(32)
    const run = (): void => {
      for (let i = 0; i < 500; i++) work(secrets, secret)
    }
    return { name, batch: 500, run }
  })
}

function memoryPerKey(): void {
  const collect: unknown = Reflect.get(globalThis, 'gc')
  if (typeof collect !== 'function') return
  console.log('\nmemory for each of the 32-byte keys that are open')
  for (const [name, create] of Object.entries(memories)) {
    const count = name === 'protected' ? 1_500 : 100_000
    const settled = (): NodeJS.MemoryUsage => {
      for (let i = 0; i < 3; i++) collect()
      return process.memoryUsage()
    }
    const secrets = create()
    const keys = new Array<Secret | undefined>(count).fill(undefined)
    const before = settled()
    for (let i = 0; i < count; i++) keys[i] = secrets.createRandom(32)
    const after = settled()
    const heap = (after.heapUsed - before.heapUsed) / count
    const external = (after.arrayBuffers - before.arrayBuffers) / count
    const locked = 'stats' in secrets && typeof secrets.stats === 'function' ? secrets.stats().lockedBytes / count : 0
    console.log(
      `  ${name.padEnd(24)} ${heap.toFixed(0).padStart(6)} B heap ${external.toFixed(0).padStart(6)} B buffers ${locked.toFixed(0).padStart(6)} B locked`,
    )
    if (keys.some((key) => key?.closed !== false)) throw new Error('keys were lost')
    secrets.close()
  }
}

await compare(
  'one withBytes of a 32-byte secret',
  secretSides((_, secret) => void secret.withBytes((bytes) => bytes[0])),
)
await compare(
  'createRandom(32) and close',
  secretSides((secrets) => secrets.createRandom(32).close()),
)
await compare('session.encryptToJson, 64 B', await sessionSides(64, 'encrypt', false))
await compare('session.decrypt, 64 B', await sessionSides(64, 'decrypt', false))
await compare('session.encryptToJson, 64 KiB', await sessionSides(65_536, 'encrypt', false))
await compare(
  'session.encryptToJson, 64 B, one in each turn of the event loop',
  await sessionSides(64, 'encrypt', true),
)
memoryPerKey()
