import { SessionFactory } from '@asherah/core'
import { createHeapSecrets, createNodeCrypto } from '@asherah/core/backend'
import { createEnclaveMemory, createProtectedMemory, purge } from '@asherah/secure-memory'
import { cryptoProviderConformance } from '@asherah/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { createMapMetastore, createTestKms } from './support/fakes.ts'

const factories = { 'protected memory': () => createProtectedMemory(), 'enclave memory': () => createEnclaveMemory() }

const given: { close(): void }[] = [] // a provider does not close what it was given
afterAll(() => {
  for (const secrets of given) secrets.close()
})

for (const [name, create] of Object.entries(factories)) {
  cryptoProviderConformance({
    name: `core's node:crypto over ${name}`,
    create() {
      const secrets = create()
      given.push(secrets)
      return createNodeCrypto({ secrets })
    },
    offers: ['encryptRowJson'],
  })
}

describe.each(Object.entries(factories))('sessions over %s', (_name, create) => {
  test('read what others wrote, evict keys from their caches, and give every key back', async () => {
    const secrets = create()
    const metastore = createMapMetastore()
    const kms = createTestKms()
    const policy = {
      intermediateKeyCacheMaxSize: 3,
      sharedIntermediateKeyCache: true,
      cacheSessions: true,
      sessionCacheMaxSize: 2,
    }
    const shared = { service: 'service', product: 'product', metastore, kms }
    const heap = new SessionFactory({ ...shared, secrets: createHeapSecrets() })
    const factory = new SessionFactory({ ...shared, secrets, policy })
    const text = (i: number): Uint8Array => new TextEncoder().encode(`payload ${i}`)

    for (let i = 0; i < 40; i++) {
      const session = factory.getSession(`partition-${i % 20}`)
      const record = await session.encryptToJson(text(i))
      expect(await session.decrypt(record)).toEqual(text(i))
      session.close()
      const other = heap.getSession(`partition-${i % 20}`)
      expect(await other.decrypt(record)).toEqual(text(i))
      other.close()
    }
    expect(secrets.stats().allocated, 'keys left their cache and were loaded again').toBeGreaterThanOrEqual(41)
    expect(secrets.stats().inUse, 'three intermediate keys and a system key').toBeLessThanOrEqual(4)
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const session = factory.getSession(`partition-${i % 20}`)
        expect(await session.decrypt(await session.encrypt(text(i)))).toEqual(text(i))
        session.close()
      }),
    )
    await factory.close()
    await heap.close()
    expect(secrets.stats()).toMatchObject({ inUse: 0, inUseBytes: 0, inOrdinaryMemory: 0, unlockedBytes: 0 })
    secrets.close()
    expect(secrets.stats().lockedBytes).toBe(0)
  })

  test('after a purge, calls are refused and no plaintext is lost', async () => {
    const secrets = create()
    const metastore = createMapMetastore()
    const make = (): SessionFactory =>
      new SessionFactory({ service: 'service', product: 'product', metastore, kms: createTestKms(), secrets })
    const factory = make()
    const session = factory.getSession('partition')
    const record = await session.encrypt(new Uint8Array([1, 2, 3]))
    expect(purge()).toBeGreaterThan(0)
    await expect(session.decrypt(record)).rejects.toMatchObject({ code: 'ERR_ASHERAH_CLOSED' })
    await factory.close()
    const again = make()
    expect(await again.getSession('partition').decrypt(record)).toEqual(new Uint8Array([1, 2, 3]))
    await again.close()
    secrets.close()
  })
})
