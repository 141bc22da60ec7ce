import { describe, expect, it } from 'vitest'
import { createPeer, createWorld, HOUR, IK, MINUTE, PLAINTEXT, parentOf, plantSystemKey } from './fakes.ts'
import { writing } from './one-partition.ts'

const policy = { revokeCheckIntervalMs: HOUR }

describe('D-027 the interval', () => {
  it('D-027 0: each encrypt reads the latest row and its system key, each decrypt its row; the KMS is not asked', async () => {
    const { session, metastore, kms, record, sk } = await writing({ revokeCheckIntervalMs: 0 })
    for (let i = 0; i < 3; i += 1) {
      metastore.forget()
      await session.encrypt(PLAINTEXT)
      expect(metastore.calls).toMatchObject([
        { method: 'loadLatest', keyId: IK },
        { method: 'load', ...sk },
      ])
      metastore.forget()
      await session.decrypt(record)
      expect(metastore.calls).toMatchObject([{ method: 'load', keyId: IK }])
    }
    expect(kms.decrypted).toEqual([])
  })

  it('D-027 0: a revocation is noticed by the very next encrypt', async () => {
    const { session, rows, ik, sk } = await writing({ revokeCheckIntervalMs: 0 })
    rows.revoke(ik)
    const next = parentOf(await session.encrypt(PLAINTEXT))
    expect(next.created).toBeGreaterThan(ik.created)
    rows.revoke(sk)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(next.created)
  })

  it('D-027 Infinity: never', async () => {
    const { session, metastore, clock, rows, ik, record } = await writing({
      revokeCheckIntervalMs: Number.POSITIVE_INFINITY,
      expireAfterMs: Number.POSITIVE_INFINITY,
    })
    rows.revoke(ik)
    clock.advance(10_000 * HOUR)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    await session.decrypt(record)
    expect(metastore.calls).toEqual([])
  })

  it('an interval begins with the start of the read', async () => {
    const { world, ik } = await writing()
    const cold = createPeer(world, policy)
    const session = cold.factory.getSession('p')
    cold.metastore.after = () => cold.clock.advance(20 * MINUTE)
    await session.encrypt(PLAINTEXT) // the latest row at 0, its system key at 20 minutes, done at 40
    cold.metastore.after = undefined
    cold.metastore.forget()
    cold.clock.advance(20 * MINUTE - 1)
    await session.encrypt(PLAINTEXT)
    expect(cold.metastore.calls).toEqual([])
    cold.clock.advance(1)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    expect(cold.metastore.calls).toMatchObject([{ method: 'loadLatest', keyId: IK }])
  })

  it('an interval begins with the start of a re-check, too', async () => {
    const { session, clock, metastore, record } = await writing()
    clock.advance(HOUR)
    metastore.after = () => clock.advance(20 * MINUTE)
    await session.decrypt(record)
    metastore.after = undefined
    metastore.forget()
    clock.advance(40 * MINUTE - 1)
    await session.decrypt(record)
    expect(metastore.calls).toEqual([])
    clock.advance(1)
    await session.decrypt(record)
    expect(metastore.calls).toMatchObject([{ method: 'load', keyId: IK }])
  })

  it('a successful store counts as a read, from its start', async () => {
    const world = createWorld(policy)
    const session = world.factory.getSession('p')
    world.metastore.after = (call) => {
      if (call.method === 'store' && call.keyId === IK) world.clock.advance(10 * MINUTE)
    }
    const first = parentOf(await session.encrypt(PLAINTEXT))
    world.metastore.forget()
    world.clock.advance(50 * MINUTE - 1)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(first)
    expect(world.metastore.calls).toEqual([])
    world.clock.advance(1)
    await session.encrypt(PLAINTEXT)
    expect(world.metastore.count('loadLatest', IK)).toBe(1)
  })

  it('a system key that only creators use is re-checked before it wraps another key', async () => {
    const { world, rows, sk } = await writing()
    rows.revoke(sk)
    world.clock.advance(HOUR)
    const record = await world.factory.getSession('new').encrypt(PLAINTEXT)
    const { keyId, created } = parentOf(record)
    expect(rows.get(keyId, created)?.parentKeyMeta?.created).toBeGreaterThan(sk.created)
  })

  it('a system key that another process made is adopted before it wraps another key', async () => {
    const { world, rows, sk } = await writing()
    await plantSystemKey(world, sk.created + 60)
    world.clock.advance(HOUR)
    const { keyId, created } = parentOf(await world.factory.getSession('new').encrypt(PLAINTEXT))
    expect(rows.get(keyId, created)?.parentKeyMeta?.created).toBe(sk.created + 60)
  })
})
