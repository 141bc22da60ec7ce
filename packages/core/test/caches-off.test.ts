import { describe, expect, it } from 'vitest'
import { createPeer, createWorld, decliningCache, PLAINTEXT, parentOf, textOf } from './fakes.ts'

describe('caches that are off', () => {
  it('no cache at all: each call loads what it needs once, asks the KMS once, and leaves no key open', async () => {
    const world = createWorld({ cacheIntermediateKeys: false, cacheSystemKeys: false })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    expect(world.crypto.open).toBe(0)
    for (let i = 0; i < 3; i += 1) {
      world.metastore.forget()
      world.kms.decrypted.length = 0
      expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(parentOf(record))
      expect(world.metastore.calls.map((call) => call.method)).toEqual(['loadLatest', 'load'])
      expect(world.kms.decrypted).toHaveLength(1)
      expect(world.crypto.open).toBe(0)
      world.metastore.forget()
      expect(textOf(await session.decrypt(record))).toBe('4111 1111')
      expect(world.metastore.calls.map((call) => call.method)).toEqual(['load', 'load'])
      expect(world.kms.decrypted).toHaveLength(2)
      expect(world.crypto.open).toBe(0)
    }
    expect(world.rows.all()).toHaveLength(2)
  })

  it('a cache that admits nothing is as good as one that is off', async () => {
    const world = createWorld({ intermediateKeyCache: decliningCache(), systemKeyCache: decliningCache() })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    world.metastore.forget()
    await session.encrypt(PLAINTEXT)
    await session.decrypt(record)
    expect(world.metastore.calls.map((call) => call.method)).toEqual(['loadLatest', 'load', 'load', 'load'])
    expect(world.crypto.open).toBe(0)
  })

  it('only system keys are cached: each call reads the intermediate key, and no KMS is asked', async () => {
    const world = createWorld({ cacheIntermediateKeys: false })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    world.metastore.forget()
    await session.encrypt(PLAINTEXT)
    await session.decrypt(record)
    expect(world.metastore.calls.map((call) => call.method)).toEqual(['loadLatest', 'load'])
    expect(world.kms.decrypted).toEqual([])
    expect(world.crypto.open).toBe(1)
  })

  it('only intermediate keys are cached: the KMS is asked when one is made or loaded, not when it is used', async () => {
    const world = createWorld({ cacheSystemKeys: false })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    expect(world.crypto.open).toBe(1)
    await session.encrypt(PLAINTEXT)
    await session.decrypt(record)
    expect(world.kms.decrypted).toEqual([])
    await world.factory.getSession('q').encrypt(PLAINTEXT)
    expect(world.kms.decrypted).toHaveLength(1)
    expect(world.crypto.open).toBe(2)
    const cold = createPeer(world, { cacheSystemKeys: false })
    await cold.factory.getSession('p').encrypt(PLAINTEXT)
    expect(world.kms.decrypted).toHaveLength(2)
    expect(cold.metastore.count('load', '_SK_')).toBe(1)
  })

  it('100 concurrent calls without caches share one load', async () => {
    const world = createWorld({ cacheIntermediateKeys: false, cacheSystemKeys: false })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    world.metastore.forget()
    await Promise.all(Array.from({ length: 100 }, () => session.decrypt(record)))
    expect(world.metastore.count()).toBe(2)
    expect(world.crypto.open).toBe(0)
  })
})
