import { setTimeout as delay } from 'node:timers/promises'
import type { SessionFactory } from '@asherah/core'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { createNativeCrypto, nativeStatus } from '@asherah/native-ffi'
import { createEnclaveMemory, createProtectedMemory, secureMemoryStats } from '@asherah/secure-memory'
import { type BenchFactoryOptions, createBenchFactory } from './factory.ts'
import { loadPeer } from './peers/asherah-crate.ts'

/** Run by `memoryPerPartition`: `memory-child.ts KIND PARTITIONS` prints the bytes that the visits added. */

type Visit = (partition: string) => unknown

const PLAINTEXT = Buffer.alloc(64, 1)
/** Other partitions that are visited first, so that compiled code and first allocations do not count. */
const WARM_UP = process.argv[2] === 'protected' ? 2_000 : 10_000

const [, , kind, count] = process.argv
const partitions = Number(count)
const collectGarbage = globalThis.gc
if (collectGarbage === undefined) throw new Error('run with --expose-gc')
const visit = await prepare()

for (let i = 0; i < WARM_UP; i++) await visit(`warm-${i}`)
const before = await bytesInUse(collectGarbage)
for (let i = 0; i < partitions; i++) await visit(`partition-${i}`)
const after = await bytesInUse(collectGarbage)
process.stdout.write(String(after - before))
// What is measured must live until here: neither is collected before.
await visit('partition-0')

async function prepare(): Promise<Visit> {
  switch (kind) {
    case 'heap':
      return cachedKeys({})
    case 'enclave':
      return cachedKeys({ secrets: createEnclaveMemory() })
    case 'protected':
      return cachedKeys({ secrets: createProtectedMemory() })
    case 'native':
      return cachedKeys({ crypto: createNativeCrypto({ mode: 'required' }) })
    case 'native-sessions': {
      const policy = { cacheSessions: true, sessionCacheMaxSize: 1_000 }
      return visitWith(createBenchFactory({ policy, crypto: createNativeCrypto({ mode: 'required' }) }))
    }
    case 'crate-sessions': {
      const peer = loadPeer()
      if (peer === null) throw new Error('there is no peer here')
      const factory = new peer.PeerFactory(true, 1_000)
      return (partition) => factory.encrypt(partition, PLAINTEXT)
    }
    default:
      throw new Error(`there is no memory point ${kind}`)
  }
}

/** Every row is in the metastore before the first visit, so that a visit adds a cached key and no row. */
async function cachedKeys(options: BenchFactoryOptions): Promise<Visit> {
  const metastore = createMemoryMetastore()
  const filler = createBenchFactory({ metastore })
  const fill = visitWith(filler)
  for (let i = 0; i < WARM_UP; i++) await fill(`warm-${i}`)
  for (let i = 0; i < partitions; i++) await fill(`partition-${i}`)
  await filler.close()
  const policy = { sharedIntermediateKeyCache: true, intermediateKeyCacheMaxSize: partitions + WARM_UP }
  return visitWith(createBenchFactory({ ...options, metastore, policy }))
}

function visitWith(factory: SessionFactory): Visit {
  return async (partition) => {
    const session = factory.getSession(partition)
    try {
      await session.encryptToJson(PLAINTEXT)
    } finally {
      session.close()
    }
  }
}

/** After full collections, with turns between them for what finalizers hold. */
async function bytesInUse(collect: () => unknown): Promise<number> {
  for (let i = 0; i < 4; i++) {
    collect()
    await delay(50)
  }
  const { rss, heapUsed, external } = process.memoryUsage()
  if (kind === 'native-sessions' || kind === 'crate-sessions') return rss
  // Not the resident set: pages that the fill has freed would take the keys in, and the set would not grow.
  const locked = kind === 'native' ? nativeStatus().memory?.lockedBytes : secureMemoryStats().lockedBytes
  return heapUsed + external + (locked ?? 0)
}
