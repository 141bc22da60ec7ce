import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type DataRowRecord, FutureKeyError } from '../src/index.ts'
import {
  bytesOf,
  createDeferred,
  createPeer,
  createWorld,
  DAY,
  HOUR,
  intermediateKeyId,
  MINUTE,
  parentOf,
  type Recording,
  recordEvents,
  SECOND,
  SYSTEM_KEY_ID,
  settle,
  textOf,
  until,
} from './fakes.ts'

const IK = intermediateKeyId('p')
const PLAINTEXT = bytesOf('4111 1111')

let events: Recording
beforeEach(() => {
  events = recordEvents()
})
afterEach(() => events.stop())

const keyEvents = (name: string) => events.key.filter((event) => event.event === name)

describe('inline rotation', () => {
  it('D-024 ten rotations: a new process reads every record, and each has keys of its own', async () => {
    const world = createWorld({ expireAfterMs: DAY })
    const session = world.factory.getSession('p')
    const records: DataRowRecord[] = []
    for (let day = 0; day < 11; day += 1) {
      records.push(await session.encrypt(bytesOf(`day ${day}`)))
      world.clock.advance(DAY + MINUTE)
    }
    expect(new Set(records.map((record) => parentOf(record).created)).size).toBe(11)
    expect(world.rows.of(SYSTEM_KEY_ID)).toHaveLength(11)
    expect(keyEvents('created')).toHaveLength(2)
    expect(keyEvents('rotated')).toHaveLength(20)
    const peer = createPeer(world, { expireAfterMs: DAY }).factory.getSession('p')
    for (const [day, record] of records.entries()) expect(textOf(await peer.decrypt(record))).toBe(`day ${day}`)
    // Reading the oldest does not make it the latest: the key of the last day has expired, so a new one is made.
    expect(parentOf(await peer.encrypt(PLAINTEXT)).created).toBeGreaterThan(parentOf(records[10] ?? raise()).created)
  })

  it('D-018 a life of one second: the precision is clamped to it, and three writes make three keys', async () => {
    const world = createWorld({ expireAfterMs: SECOND })
    const session = world.factory.getSession('p')
    const records: DataRowRecord[] = []
    for (let i = 0; i < 3; i += 1) {
      records.push(await session.encrypt(bytesOf(`${i}`)))
      world.clock.advance(2 * SECOND)
    }
    const start = Math.floor(world.clock.now() / 1_000) - 6
    expect(records.map((record) => parentOf(record).created)).toEqual([start, start + 2, start + 4])
    const peer = createPeer(world).factory.getSession('p')
    for (const [i, record] of records.entries()) expect(textOf(await peer.decrypt(record))).toBe(`${i}`)
  })

  it('D-019 at created + expireAfter the key still writes; one millisecond later it does not', async () => {
    const world = createWorld({ expireAfterMs: DAY, revokeCheckIntervalMs: Number.POSITIVE_INFINITY })
    const session = world.factory.getSession('p')
    const first = parentOf(await session.encrypt(PLAINTEXT))
    world.clock.set(first.created * 1_000 + DAY)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(first)
    // The row is judged as the cached key is.
    expect(
      parentOf(await createPeer(world, { expireAfterMs: DAY }).factory.getSession('p').encrypt(PLAINTEXT)),
    ).toEqual(first)
    world.clock.step(1)
    const second = parentOf(await session.encrypt(PLAINTEXT))
    expect(second.created).toBeGreaterThan(first.created)
    const peer = createPeer(world, { expireAfterMs: DAY })
    expect(parentOf(await peer.factory.getSession('p').encrypt(PLAINTEXT))).toEqual(second)
  })

  it.each([
    ['whole minutes by default', {}, 60],
    ['ten minutes', { createDatePrecisionMs: 10 * MINUTE }, 600],
    ['whole seconds', { createDatePrecisionMs: SECOND }, 1],
    ['floored to whole seconds', { createDatePrecisionMs: 7_999 }, 7],
    ['never above the life of a key', { createDatePrecisionMs: DAY, expireAfterMs: HOUR }, 3_600],
  ])('created is truncated to the precision: %s', async (_, policy, seconds) => {
    const world = createWorld(policy)
    world.clock.step(12_345_678)
    const { created } = parentOf(await world.factory.getSession('p').encrypt(PLAINTEXT))
    const now = world.clock.now() / 1_000
    expect(created).toBe(Math.floor(now / seconds) * seconds)
  })

  it('D-019 a key that expires while calls wait for its row is not used by them', async () => {
    const world = createWorld({ expireAfterMs: DAY })
    const first = parentOf(await world.factory.getSession('p').encrypt(PLAINTEXT))
    const cold = createPeer(world, { expireAfterMs: DAY })
    const session = cold.factory.getSession('p')
    cold.metastore.after = (call) => {
      if (call.method === 'load') world.clock.advance(DAY)
    }
    const records = await Promise.all(Array.from({ length: 3 }, () => session.encrypt(PLAINTEXT)))
    for (const record of records) expect(parentOf(record).created).toBeGreaterThan(first.created)
    expect(world.rows.of(IK)).toHaveLength(2)
  })

  it("a new key is dated after the latest one, also within one unit of the precision: 'latest + 1 s'", async () => {
    const world = createWorld({ revokeCheckIntervalMs: 0 })
    const session = world.factory.getSession('p')
    const first = parentOf(await session.encrypt(PLAINTEXT))
    world.rows.revoke(first)
    const second = parentOf(await session.encrypt(PLAINTEXT))
    world.rows.revoke(second)
    const third = parentOf(await session.encrypt(PLAINTEXT))
    expect([second.created, third.created]).toEqual([first.created + 1, first.created + 2])
  })

  it('D-099 the eleventh use of a key that may be used ten times is a use of a new key', async () => {
    const world = createWorld({ maxUsesPerKey: 10 })
    const session = world.factory.getSession('p')
    const used: number[] = []
    for (let i = 0; i < 25; i += 1) used.push(parentOf(await session.encrypt(PLAINTEXT)).created)
    const first = used[0] ?? 0
    expect(used).toEqual(Array.from({ length: 25 }, (_, i) => first + Math.floor(i / 10)))
    expect(world.rows.of(SYSTEM_KEY_ID)).toHaveLength(1)
    expect(keyEvents('rotated')).toHaveLength(2)
  })

  it('D-099 no key is used more often when many wait for it at once', async () => {
    const world = createWorld({ maxUsesPerKey: 10, sharedIntermediateKeyCache: true })
    const session = world.factory.getSession('p')
    const records = await Promise.all(Array.from({ length: 95 }, () => session.encrypt(PLAINTEXT)))
    const uses = new Map<number, number>()
    for (const record of records) {
      const { created } = parentOf(record)
      uses.set(created, (uses.get(created) ?? 0) + 1)
    }
    expect([...uses.values()].sort((a, b) => a - b)).toEqual([5, 10, 10, 10, 10, 10, 10, 10, 10, 10])
  })

  it('D-099 uses count for a key, not for a session: sessions that come and go share the count', async () => {
    const world = createWorld({ maxUsesPerKey: 3 })
    const used: number[] = []
    for (let i = 0; i < 7; i += 1) {
      const session = world.factory.getSession('p')
      used.push(parentOf(await session.encrypt(PLAINTEXT)).created)
      session.close()
    }
    const first = used[0] ?? 0
    expect(used).toEqual([0, 0, 0, 1, 1, 1, 2].map((step) => first + step))
  })

  it('D-099 an exhausted key is not made again by another process: its count is its own', async () => {
    const world = createWorld({ maxUsesPerKey: 1 })
    const first = parentOf(await world.factory.getSession('p').encrypt(PLAINTEXT))
    const peer = createPeer(world, { maxUsesPerKey: 1 })
    expect(parentOf(await peer.factory.getSession('p').encrypt(PLAINTEXT))).toEqual(first)
  })

  it('D-099 more keys than the clock believes: FutureKeyError, nothing written', async () => {
    const world = createWorld({ maxUsesPerKey: 1, clockSkewMs: 2_000, createDatePrecisionMs: SECOND })
    const session = world.factory.getSession('p')
    for (let i = 0; i < 3; i += 1) await session.encrypt(PLAINTEXT)
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(FutureKeyError)
    expect(world.rows.of(IK)).toHaveLength(3)
  })
})

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
    let closed = false
    const closing = world.factory.close().then(() => {
      closed = true
    })
    await settle()
    expect(closed).toBe(false)
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

describe('D-025 notifyExpiredKeyOnRead', () => {
  const policy = { notifyExpiredKeyOnRead: true, expireAfterMs: DAY, revokeCheckIntervalMs: HOUR }

  async function expired(more: Parameters<typeof createWorld>[0] = {}) {
    const world = createWorld({ ...policy, ...more })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    return { ...world, session, record, created: parentOf(record).created }
  }

  it('D-025 one event for each expired key and interval, with the age', async () => {
    const { session, record, clock, created } = await expired()
    clock.set(created * 1_000 + DAY)
    await session.decrypt(record)
    expect(keyEvents('expiredOnRead')).toEqual([])
    clock.advance(5)
    for (let i = 0; i < 3; i += 1) await session.decrypt(record)
    expect(keyEvents('expiredOnRead')).toEqual([
      { event: 'expiredOnRead', keyId: IK, created, ageMs: DAY + 5 },
      { event: 'expiredOnRead', keyId: SYSTEM_KEY_ID, created, ageMs: DAY + 5 },
    ])
    clock.advance(HOUR - 1)
    await session.decrypt(record)
    expect(keyEvents('expiredOnRead')).toHaveLength(2)
    clock.advance(1)
    for (let i = 0; i < 3; i += 1) await session.decrypt(record)
    expect(keyEvents('expiredOnRead')).toHaveLength(4)
  })

  it.each([
    ['session after session', {}],
    ['no cache of intermediate keys', { cacheIntermediateKeys: false }],
    ['no cache at all', { cacheIntermediateKeys: false, cacheSystemKeys: false }],
  ])('D-025 one event for each key and interval: %s', async (_, caches) => {
    const { factory, record, clock } = await expired(caches)
    clock.advance(2 * DAY)
    for (let i = 0; i < 5; i += 1) {
      const session = factory.getSession('p')
      await session.decrypt(record)
      session.close()
    }
    expect(keyEvents('expiredOnRead').map((event) => event.keyId)).toEqual([IK, SYSTEM_KEY_ID])
  })

  it('D-025 off by default', async () => {
    const { session, record, clock } = await expired({ notifyExpiredKeyOnRead: false })
    clock.advance(2 * DAY)
    await session.decrypt(record)
    expect(keyEvents('expiredOnRead')).toEqual([])
  })
})

function raise(): never {
  throw new Error('the test made fewer records than it reads')
}
