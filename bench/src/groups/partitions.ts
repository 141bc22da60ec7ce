import { deepStrictEqual } from 'node:assert'
import type { CryptoPolicyOptions, SessionFactory } from '@asherah/core'
import { createNativeCrypto } from '@asherah/native-ffi'
import { createBenchFactory } from '../factory.ts'
import { type Effort, measurePaired, median } from '../measure.ts'
import { memoryPerPartition } from '../memory-point.ts'
import { hasNative } from '../native.ts'
import { AGAINST_CRATE, loadPeer } from '../peers/asherah-crate.ts'
import type { Group, Row } from '../row.ts'

const PARTITIONS = [1_000, 10_000, 100_000, 1_000_000]
/** Of these the targets speak. */
const TARGET_PARTITIONS = 100_000
const BATCH = 50
const PLAINTEXT = Buffer.alloc(64, 1)
const POLICY: CryptoPolicyOptions = { cacheSessions: true, sessionCacheMaxSize: 1_000 }

/** Cold partitions, and 1,000 to 1,000,000 partitions through 1,000 cached sessions: both paths, against the Rust crate where cargo is. */
export const partitions: Group = {
  name: 'partitions',
  async run({ quick, report }) {
    const effort: Effort = quick ? { rounds: 3, sideMs: 200 } : { rounds: 9, sideMs: 1_000 }
    const Peer = loadPeer()?.PeerFactory
    const counts = quick ? PARTITIONS.slice(0, 2) : PARTITIONS
    const paths = new Map([['typescript', createBenchFactory({ policy: POLICY })]])
    const withNative = hasNative()
    if (withNative) {
      paths.set('native', createBenchFactory({ policy: POLICY, crypto: createNativeCrypto({ mode: 'required' }) }))
    }

    for (const [path, factory] of paths) {
      const peer = Peer && new Peer(true, 1_000)
      const ours = caller((partition) => encryptFor(factory, partition))
      const theirs = peer && caller((partition) => peer.encrypt(partition, PLAINTEXT))
      await assertRoundTrip(factory)
      const against = theirs === undefined ? null : AGAINST_CRATE

      const cold = await measurePaired(ours.cold, theirs?.cold ?? null, effort)
      report({ id: `${path}/cold-partition/64`, against, target: theirs ? 0.7 : null, ...cold })
      for (const count of counts) {
        await ours.fill(count)
        await theirs?.fill(count)
        const random = await measurePaired(ours.random(count), theirs?.random(count) ?? null, effort)
        const target = theirs && count === TARGET_PARTITIONS ? 0.5 : null
        report({ id: `${path}/partitions-random/${count}`, against, target, ...random })
      }
      await factory.close()
    }
    if (Peer !== undefined && withNative) {
      report(await memoryRow(quick ? 10_000 : TARGET_PARTITIONS, quick ? 1 : 3))
    }
  },
}

/** Resident bytes a partition, rows and all: each side keeps its rows in its own memory metastore, and they cannot be told apart. */
async function memoryRow(partitions: number, rounds: number): Promise<Row> {
  const ours: number[] = []
  const peer: number[] = []
  for (let round = 0; round < rounds; round++) {
    ours.push(await memoryPerPartition({ kind: 'native-sessions', partitions }))
    peer.push(await memoryPerPartition({ kind: 'crate-sessions', partitions }))
  }
  const measured = { ours: median(ours), peer: median(peer), ratio: median(ours) / median(peer) }
  return {
    id: `native/partition-memory/${partitions}`,
    unit: 'bytes',
    against: AGAINST_CRATE,
    target: 0.5,
    ...measured,
  }
}

type EncryptFor = (partition: string) => unknown

/** The same visits for each side. */
function caller(encrypt: EncryptFor) {
  let next = 0
  let filled = 0
  let state = 1
  const run = (partition: () => string) => ({
    batch: BATCH,
    run: async (): Promise<void> => {
      for (let i = 0; i < BATCH; i++) {
        const result = encrypt(partition())
        if (result instanceof Promise) await result
      }
    },
  })
  return {
    cold: run(() => `cold-${next++}`),
    /** A fixed sequence: a linear congruential generator. */
    random: (count: number) =>
      run(() => {
        state = (state * 1_103_515_245 + 12_345) % 2 ** 31
        return `partition-${state % count}`
      }),
    async fill(count: number): Promise<void> {
      for (; filled < count; filled++) await encrypt(`partition-${filled}`)
    },
  }
}

async function encryptFor(factory: SessionFactory, partition: string): Promise<string> {
  const session = factory.getSession(partition)
  try {
    return await session.encryptToJson(PLAINTEXT)
  } finally {
    session.close()
  }
}

async function assertRoundTrip(factory: SessionFactory): Promise<void> {
  const session = factory.getSession('check')
  deepStrictEqual(Buffer.from(await session.decrypt(await encryptFor(factory, 'check'))), PLAINTEXT)
  session.close()
}
