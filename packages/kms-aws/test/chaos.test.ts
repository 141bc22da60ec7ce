import { AsherahError, type DataRowRecord, SessionFactory } from '@asherah/core'
import { createAwsKms, type PartialFailurePolicy } from '@asherah/kms-aws'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { expect, test } from 'vitest'
import { awsError, createFakeKms, type FakeFault } from './fake-kms.ts'

const REGIONS = ['us-west-2', 'us-east-1', 'eu-west-1']
/** Operations until the regions that fail change. */
const EPISODE = 20
const FAULTS: readonly (() => FakeFault)[] = [
  () => awsError('KMSInternalException', 500),
  () => awsError('ThrottlingException'),
  () => awsError('AccessDeniedException'),
  () => awsError('DisabledException'),
  () => new Error('socket hang up'),
  () => 'hang',
]

/** mulberry32: the same run each time. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

test.each<[PartialFailurePolicy, number]>([
  ['best-effort', 10_000],
  [{ minimum: 2 }, 2_000],
  ['all', 2_000],
])(
  'three regions failing in turn, policy %j, %i operations: no wrong plaintext, no acknowledged write lost, every failure typed',
  async (onPartialFailure, operations) => {
    const random = seeded(20_260_801)
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
    const fake = createFakeKms()
    const regionMap = fake.regionMap(...REGIONS)
    const metastore = createMemoryMetastore()
    const needed = onPartialFailure === 'all' ? 3 : typeof onPartialFailure === 'object' ? onPartialFailure.minimum : 1
    let down: ReadonlyMap<string, () => FakeFault> = new Map()
    fake.fault = ({ region }) => down.get(region)?.()

    const kms = createAwsKms({
      regionMap,
      preferredRegion: 'us-west-2',
      clients: fake.clients(...REGIONS),
      onPartialFailure,
      regionTimeoutMs: 5,
      timeoutMs: 5_000,
      breaker: { failures: 3, cooldownMs: 20 },
    })
    // A service for each episode, so that each makes a system key; and a factory for each operation, with cold caches.
    const newFactory = (service: string) => new SessionFactory({ service, product: 'product', metastore, kms })
    const written: { service: string; partition: string; text: string; record: DataRowRecord }[] = []
    const failures = new Map<string, number>()
    const unexpected: unknown[] = []
    let service = ''

    for (let i = 0; i < operations; i++) {
      if (i % EPISODE === 0) {
        service = `service${i}`
        const fallen = REGIONS.filter(() => random() < 0.4)
        down = new Map(fallen.map((region) => [region, pick(FAULTS) ?? (() => undefined)]))
      }
      const old = random() < 0.5 ? pick(written) : undefined
      const mayWrite = REGIONS.length - down.size >= needed
      const factory = newFactory(old?.service ?? service)
      try {
        if (old === undefined) {
          const partition = `partition${Math.floor(random() * 5)}`
          const text = `text ${i}`
          const record = await factory.getSession(partition).encrypt(new TextEncoder().encode(text))
          written.push({ service, partition, text, record })
        } else {
          const opened = await factory.getSession(old.partition).decrypt(old.record)
          if (Buffer.from(opened).toString() !== old.text) unexpected.push(`wrong plaintext at ${i}`)
        }
      } catch (error) {
        if (!(error instanceof AsherahError) || error.code !== 'ERR_ASHERAH_KMS') unexpected.push(error)
        // A key can be made, and read again, whenever the policy can be kept.
        else if (old === undefined && mayWrite) {
          unexpected.push(`no key at ${i} with ${[...down.keys()]} down`)
        }
        const kind = old === undefined ? 'encrypt' : 'decrypt'
        failures.set(kind, (failures.get(kind) ?? 0) + 1)
      } finally {
        await factory.close()
      }
    }

    expect(unexpected).toEqual([])
    down = new Map()
    for (const { service: owner, partition, text, record } of written) {
      const factory = newFactory(owner)
      const opened = await factory.getSession(partition).decrypt(record)
      if (Buffer.from(opened).toString() !== text) unexpected.push(`lost: ${text}`)
      await factory.close()
    }
    expect(unexpected).toEqual([])
    // The run did what it is for: many writes, many failures of both kinds.
    expect(written.length).toBeGreaterThan(operations / 20)
    expect(failures.get('encrypt')).toBeGreaterThan(operations / 200)
    expect(failures.get('decrypt')).toBeGreaterThan(operations / 200)
  },
  300_000,
)
