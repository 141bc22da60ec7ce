import { SessionFactory } from '@asherah/core'
import { createAwsKms } from '@asherah/kms-aws'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { expect, test } from 'vitest'
import { createFakeKms } from './fake-kms.ts'

const plaintext = new TextEncoder().encode('plaintext')

/** Factories over one metastore and one fake KMS, both counted. */
function counted() {
  const fake = createFakeKms()
  const regionMap = fake.regionMap('us-west-2', 'us-east-1', 'eu-west-1')
  const memory = createMemoryMetastore()
  const reads: string[] = []
  const metastore = {
    ...memory,
    load: (...args: Parameters<typeof memory.load>) => {
      reads.push(args[0])
      return memory.load(...args)
    },
    loadLatest: (...args: Parameters<typeof memory.loadLatest>) => {
      reads.push(args[0])
      return memory.loadLatest(...args)
    },
  }
  const newFactory = () =>
    new SessionFactory({
      service: 'service',
      product: 'product',
      metastore,
      kms: createAwsKms({ regionMap, preferredRegion: 'us-west-2', clients: fake.clients(...Object.keys(regionMap)) }),
    })
  const forget = () => {
    fake.calls.length = 0
    reads.length = 0
  }
  return { fake, reads, newFactory, forget }
}

test('one cold decrypt costs one KMS call and two metastore reads', async () => {
  const { fake, reads, newFactory, forget } = counted()
  const writer = newFactory()
  const record = await writer.getSession('partition').encrypt(plaintext)
  forget()
  const reader = newFactory()
  expect(await reader.getSession('partition').decrypt(record)).toEqual(plaintext)
  expect(fake.log()).toEqual(['Decrypt us-west-2'])
  expect(reads).toEqual(['_IK_partition_service_product', '_SK_service_product'])
})

test('1,000 cold sessions of one service at once make one KMS call', async () => {
  const { fake, newFactory, forget } = counted()
  const writer = newFactory()
  const partitions = Array.from({ length: 1_000 }, (_, i) => `partition-${i}`)
  const records = await Promise.all(partitions.map((partition) => writer.getSession(partition).encrypt(plaintext)))
  expect(fake.log()).toEqual(['GenerateDataKey us-west-2', 'Encrypt us-east-1', 'Encrypt eu-west-1'])
  forget()
  const reader = newFactory()
  const opened = await Promise.all(records.map((record, i) => reader.getSession(`partition-${i}`).decrypt(record)))
  expect(opened.every((bytes) => Buffer.from(bytes).equals(Buffer.from(plaintext)))).toBe(true)
  expect(fake.log()).toEqual(['Decrypt us-west-2'])
})
