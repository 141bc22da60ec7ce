import { describe, expect, it } from 'vitest'
import { createPeer, createWorld, HOUR, IK, MINUTE, PLAINTEXT, parentOf, SYSTEM_KEY_ID } from './fakes.ts'
import { writing } from './one-partition.ts'

const policy = { revokeCheckIntervalMs: HOUR }

describe('what a re-check reads', () => {
  it('a stale latest key: its latest row and its system key, and no KMS', async () => {
    const { session, clock, metastore, kms, ik, sk } = await writing()
    clock.advance(HOUR)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    expect(metastore.calls).toMatchObject([
      { method: 'loadLatest', keyId: IK },
      { method: 'load', ...sk },
    ])
    expect(kms.decrypted).toEqual([])
    metastore.forget()
    clock.advance(HOUR - 1)
    await session.encrypt(PLAINTEXT)
    expect(metastore.calls).toEqual([])
  })

  it.each([
    ['one after the other', false],
    ['all at once', true],
  ])('only the system key is stale: its row alone is read, once for 1,000 partitions, %s', async (_, atOnce) => {
    const world = createWorld({ ...policy, sharedIntermediateKeyCache: true })
    await world.factory.getSession('first').encrypt(PLAINTEXT)
    world.clock.advance(HOUR / 2)
    const sessions = Array.from({ length: 1_000 }, (_, i) => world.factory.getSession(`p${i}`))
    for (const session of sessions) await session.encrypt(PLAINTEXT)
    world.clock.advance(HOUR / 2)
    world.metastore.forget()
    if (atOnce) await Promise.all(sessions.map((session) => session.encrypt(PLAINTEXT)))
    else for (const session of sessions) await session.encrypt(PLAINTEXT)
    expect(world.metastore.calls).toMatchObject([{ method: 'load', keyId: SYSTEM_KEY_ID }])
    expect(world.kms.decrypted).toEqual([])
  })

  it('1,000 stale partitions: one read each, and one of the system key', async () => {
    const world = createWorld({ ...policy, sharedIntermediateKeyCache: true })
    const sessions = Array.from({ length: 1_000 }, (_, i) => world.factory.getSession(`p${i}`))
    for (const session of sessions) await session.encrypt(PLAINTEXT)
    world.clock.advance(HOUR)
    world.metastore.forget()
    await Promise.all(sessions.map((session) => session.encrypt(PLAINTEXT)))
    expect(world.metastore.count('loadLatest', '_IK_')).toBe(1_000)
    expect(world.metastore.count('load')).toBe(1)
    expect(world.metastore.count()).toBe(1_001)
    expect(world.crypto.made).toBe(1_001)
  })

  it('decrypts never postpone the check of encrypts', async () => {
    const { session, clock, metastore, rows, ik, record } = await writing()
    clock.advance(HOUR)
    // The exact row is read and found valid: that says nothing of what is the latest.
    await session.decrypt(record)
    expect(metastore.calls).toMatchObject([{ method: 'load', keyId: IK }])
    rows.revoke(ik)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(ik.created)
  })

  it('encrypts from the cache never postpone a check, and nor do decrypts', async () => {
    const { session, clock, rows, ik, record, metastore } = await writing()
    rows.revoke(ik)
    for (let minute = 1; minute < 60; minute += 1) {
      clock.advance(MINUTE)
      expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
      await session.decrypt(record)
    }
    expect(metastore.calls).toEqual([])
    clock.advance(MINUTE)
    expect(parentOf(await session.encrypt(PLAINTEXT))).not.toEqual(ik)
  })

  it('reading with an old key never makes it the latest', async () => {
    const { session, rows, clock, ik, record, world } = await writing()
    rows.revoke(ik)
    clock.advance(HOUR)
    const next = parentOf(await session.encrypt(PLAINTEXT))
    const cold = createPeer(world, policy).factory.getSession('p')
    for (const reader of [session, cold]) {
      await reader.decrypt(record)
      expect(parentOf(await reader.encrypt(PLAINTEXT))).toEqual(next)
    }
  })

  it('a system key that was wrapped anew is unwrapped again: one KMS call', async () => {
    const { session, rows, clock, ik, sk, kms } = await writing()
    const bytes = await kms.decryptKey(rows.get(sk.keyId, sk.created)?.encryptedKey ?? new Uint8Array(60))
    rows.edit(sk, { encryptedKey: await kms.encryptKey(bytes) })
    kms.decrypted.length = 0
    clock.advance(HOUR)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    expect(kms.decrypted).toEqual([{ ...sk, revoked: false }])
    clock.advance(HOUR)
    await session.encrypt(PLAINTEXT)
    expect(kms.decrypted).toHaveLength(1)
  })

  it('a system key that was wrapped anew is known from then on to the keys under it: no read until the next interval', async () => {
    const world = createWorld({ ...policy, sharedIntermediateKeyCache: true })
    await world.factory.getSession('q').encrypt(PLAINTEXT)
    world.clock.advance(HOUR / 2)
    const session = world.factory.getSession('p')
    await session.encrypt(PLAINTEXT)
    const sk = world.rows.of(SYSTEM_KEY_ID)[0]
    if (sk === undefined) throw new Error('there is a system key')
    world.rows.edit(sk, { encryptedKey: await world.kms.encryptKey(await world.kms.decryptKey(sk.encryptedKey)) })
    world.clock.advance(HOUR / 2)
    await session.encrypt(PLAINTEXT)
    world.metastore.forget()
    world.clock.advance(HOUR / 2 - 1)
    await session.encrypt(PLAINTEXT)
    expect(world.metastore.calls).toEqual([])
  })

  it('backends are given a signal and what their contract names, and nothing else', async () => {
    const world = createWorld({ rotation: 'queued', expireAfterMs: HOUR })
    const given = new Set<string>()
    const { load, loadLatest, store } = world.metastore
    const note = (options: object = {}) => {
      for (const name of Object.keys(options)) given.add(name)
    }
    Object.assign(world.metastore, {
      load: (...args: Parameters<typeof load>) => {
        note(args[2])
        return load(...args)
      },
      loadLatest: (...args: Parameters<typeof loadLatest>) => {
        note(args[1])
        return loadLatest(...args)
      },
      store: (...args: Parameters<typeof store>) => {
        note(args[3])
        return store(...args)
      },
    })
    const session = world.factory.getSession('p')
    const { signal } = new AbortController()
    await session.encrypt(PLAINTEXT, { signal })
    world.clock.advance(2 * HOUR)
    await session.encrypt(PLAINTEXT, { signal })
    await world.factory.close()
    expect(world.rows.of(IK)).toHaveLength(2)
    expect([...given].sort()).toEqual(['notAfter', 'signal'])
  })
})
