import { describe, expect, it } from 'vitest'
import {
  createDeferred,
  createPeer,
  createWorld,
  DAY,
  HOUR,
  IK,
  intermediateKeyId,
  isPending,
  MINUTE,
  PLAINTEXT,
  parentOf,
  SECOND,
  SYSTEM_KEY_ID,
  settle,
  until,
} from './fakes.ts'
import { raise } from './harness.ts'
import { recordEachTest } from './recorded-events.ts'

const events = recordEachTest()

describe('D-025 queued rotation', () => {
  const policy = { rotation: 'queued', expireAfterMs: DAY, revokeCheckIntervalMs: HOUR } as const

  /** A session whose keys have expired. */
  async function expired(more: Parameters<typeof createWorld>[0] = {}) {
    const world = createWorld({ ...policy, ...more })
    const session = world.factory.getSession('p')
    const first = parentOf(await session.encrypt(PLAINTEXT))
    world.clock.advance(DAY + MINUTE)
    world.metastore.forget()
    return { world, session, first, ...world }
  }

  it('D-025 encrypts go on with the expired key while one rotation runs behind', async () => {
    const { session, first, kms, rows, world } = await expired()
    const gate = createDeferred()
    kms.before = () => gate.promise
    const during = []
    for (let i = 0; i < 20; i += 1) during.push(parentOf(await session.encrypt(PLAINTEXT)))
    expect(during).toEqual(Array.from({ length: 20 }, () => first))
    expect(kms.encrypted).toHaveLength(2) // the first system key, and the one that waits
    gate.resolve()
    await until(() => rows.of(IK).length === 2)
    await settle()
    const after = parentOf(await session.encrypt(PLAINTEXT))
    expect(after.created).toBeGreaterThan(first.created)
    expect(rows.of(IK)).toHaveLength(2)
    expect(rows.of(SYSTEM_KEY_ID)).toHaveLength(2)
    expect(world.crypto.open).toBe(4)
  })

  it('D-025 the key that runs out is not asked for again while its rotation runs: no read of the metastore', async () => {
    const { session, kms, metastore } = await expired({ revokeCheckIntervalMs: 7 * DAY })
    const gate = createDeferred()
    kms.before = () => gate.promise
    await session.encrypt(PLAINTEXT)
    await until(() => kms.encrypted.length === 2)
    metastore.forget()
    for (let i = 0; i < 5; i += 1) await session.encrypt(PLAINTEXT)
    expect(metastore.calls).toEqual([])
    gate.resolve()
  })

  it('D-025 a cold process uses the expired row once more, too, and rotates behind', async () => {
    const { world, first, rows } = await expired()
    const cold = createPeer(world, policy).factory.getSession('p')
    expect(parentOf(await cold.encrypt(PLAINTEXT))).toEqual(first)
    await until(() => rows.of(IK).length === 2)
    await settle()
    expect(parentOf(await cold.encrypt(PLAINTEXT)).created).toBeGreaterThan(first.created)
  })

  it('D-025 a key whose system key alone has expired is rotated behind, with its system key', async () => {
    const world = createWorld(policy)
    await world.factory.getSession('q').encrypt(PLAINTEXT)
    world.clock.advance(DAY - HOUR)
    const session = world.factory.getSession('p')
    const first = parentOf(await session.encrypt(PLAINTEXT))
    world.clock.advance(2 * HOUR)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(first)
    await until(() => world.rows.of(IK).length === 2)
    await settle()
    const second = parentOf(await session.encrypt(PLAINTEXT))
    expect(second.created).toBeGreaterThan(first.created)
    expect(world.rows.get(IK, second.created)?.parentKeyMeta).toEqual({
      keyId: SYSTEM_KEY_ID,
      created: world.rows.of(SYSTEM_KEY_ID)[1]?.created,
    })
  })

  it('D-025 a revoked key is rotated inline', async () => {
    const { session, first, rows } = await expired()
    rows.revoke(first)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(first.created)
  })

  it('D-025 a key under a revoked system key is rotated inline', async () => {
    const { session, first, rows } = await expired()
    rows.revoke({ keyId: SYSTEM_KEY_ID, created: rows.of(SYSTEM_KEY_ID)[0]?.created ?? 0 })
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(first.created)
  })

  it('D-025 D-099 an exhausted key counts as revoked: rotated inline', async () => {
    const { session, first } = await expired({ maxUsesPerKey: 2 })
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(first)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(first.created)
  })

  it('D-025 a rotation that fails: a warning, a back-off of 1 s doubling to 30 s, and encrypts go on', async () => {
    const { session, first, kms, clock, metastore } = await expired({ revokeCheckIntervalMs: 7 * DAY })
    kms.before = () => {
      throw new Error('no KMS')
    }
    const attempts = () => kms.encrypted.length - 1
    const encrypt = async () => {
      expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(first)
      await settle()
    }
    let waited = 0
    for (const delay of [0, 1, 2, 4, 8, 16, 30, 30]) {
      clock.advance(delay * SECOND - 1)
      if (delay > 0) await encrypt()
      expect(attempts(), `before ${delay} s`).toBe(waited)
      clock.advance(1)
      await encrypt()
      waited += 1
      expect(attempts(), `after ${delay} s`).toBe(waited)
    }
    expect(events.warning.map((event) => event.code)).toEqual(Array.from({ length: 8 }, () => 'ROTATION_FAILED'))
    expect(metastore.count('store')).toBe(0)
    kms.before = undefined
    clock.advance(30 * SECOND)
    await encrypt()
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(first.created)
  })

  it('D-025 a failed rotation leaves the expired key where it was: no read while it is fresh', async () => {
    const { session, kms, metastore } = await expired({ revokeCheckIntervalMs: 7 * DAY })
    kms.before = () => {
      throw new Error('no KMS')
    }
    await session.encrypt(PLAINTEXT)
    await settle()
    metastore.before = () => {
      throw new Error('no metastore either')
    }
    await session.encrypt(PLAINTEXT)
  })

  it('D-025 a read of the old row that ends after the rotation does not bring the old key back', async () => {
    const { session, first, kms, metastore, rows, clock } = await expired()
    const kmsGate = createDeferred()
    kms.before = () => kmsGate.promise
    await session.encrypt(PLAINTEXT)
    await until(() => kms.encrypted.length === 2)
    // The expired key is stale by now: its row is read again, and the answer is held back.
    clock.advance(HOUR)
    const readGate = createDeferred()
    let held = 0
    metastore.after = async (call) => {
      if (call.method !== 'loadLatest' || call.keyId !== IK) return
      held += 1
      await readGate.promise
    }
    const late = session.encrypt(PLAINTEXT)
    await until(() => held === 1)
    kmsGate.resolve()
    await until(() => rows.of(IK).length === 2)
    await settle()
    readGate.resolve()
    expect(parentOf(await late)).toEqual(first)
    metastore.after = undefined
    metastore.forget()
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBe(rows.of(IK)[1]?.created)
    expect(metastore.calls).toEqual([])
  })

  it('D-025 two processes that make a first key under an expired system key: the loser of the race goes on, too', async () => {
    const { world, rows } = await expired()
    const peers = [createPeer(world, policy), createPeer(world, policy)]
    const records = await Promise.all(peers.map((peer) => peer.factory.getSession('new').encrypt(PLAINTEXT)))
    expect(parentOf(records[0] ?? raise())).toEqual(parentOf(records[1] ?? raise()))
    for (const peer of peers) await peer.factory.close()
    const latest = rows.of(intermediateKeyId('new')).at(-1)
    expect(latest?.parentKeyMeta?.created).toBe(rows.of(SYSTEM_KEY_ID).at(-1)?.created)
    expect(rows.of(SYSTEM_KEY_ID)).toHaveLength(2)
  })

  it('D-025 sessions that come and go share one rotation, and its back-off', async () => {
    const { factory, kms, clock, metastore, rows, first } = await expired()
    const request = async () => {
      const session = factory.getSession('p')
      const used = parentOf(await session.encrypt(PLAINTEXT))
      session.close()
      await settle()
      return used
    }
    kms.before = () => {
      throw new Error('no KMS')
    }
    for (let i = 0; i < 5; i += 1) expect(await request()).toEqual(first)
    expect(kms.encrypted).toHaveLength(2)
    clock.advance(SECOND)
    for (let i = 0; i < 5; i += 1) expect(await request()).toEqual(first)
    expect(kms.encrypted).toHaveLength(3)
    kms.before = undefined
    clock.advance(2 * SECOND)
    await Promise.all(Array.from({ length: 20 }, request))
    expect(metastore.count('store', IK)).toBe(1)
    expect((await request()).created).toBe(rows.of(IK)[1]?.created)
  })

  it('D-025 close waits for a rotation behind', async () => {
    const { session, kms, world, rows } = await expired()
    const gate = createDeferred()
    kms.before = () => gate.promise
    await session.encrypt(PLAINTEXT)
    const closing = world.factory.close()
    expect(await isPending(closing)).toBe(true)
    gate.resolve()
    await closing
    expect(rows.of(IK)).toHaveLength(2)
    expect(world.crypto.open).toBe(0)
  })

  it('D-025 without key caches one rotation runs behind at a time', async () => {
    const { session, first, rows, world } = await expired({ cacheIntermediateKeys: false, cacheSystemKeys: false })
    for (let i = 0; i < 3; i += 1) expect(parentOf(await session.encrypt(PLAINTEXT)).keyId).toBe(first.keyId)
    await settle()
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(first.created)
    expect(rows.of(IK)).toHaveLength(2)
    expect(world.crypto.open).toBe(0)
  })
})
