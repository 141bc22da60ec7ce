import { describe, expect, it } from 'vitest'
import { type DataRowRecord, FutureKeyError } from '../src/index.ts'
import {
  bytesOf,
  createPeer,
  createWorld,
  DAY,
  HOUR,
  IK,
  MINUTE,
  PLAINTEXT,
  parentOf,
  SECOND,
  SYSTEM_KEY_ID,
  textOf,
} from './fakes.ts'
import { raise } from './harness.ts'
import { recordEachTest } from './recorded-events.ts'

const events = recordEachTest()

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
    expect(events.keysThat('created')).toHaveLength(2)
    expect(events.keysThat('rotated')).toHaveLength(20)
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
    expect(events.keysThat('rotated')).toHaveLength(2)
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
    expect(events.keysThat('expiredOnRead')).toEqual([])
    clock.advance(5)
    for (let i = 0; i < 3; i += 1) await session.decrypt(record)
    expect(events.keysThat('expiredOnRead')).toEqual([
      { event: 'expiredOnRead', keyId: IK, created, ageMs: DAY + 5 },
      { event: 'expiredOnRead', keyId: SYSTEM_KEY_ID, created, ageMs: DAY + 5 },
    ])
    clock.advance(HOUR - 1)
    await session.decrypt(record)
    expect(events.keysThat('expiredOnRead')).toHaveLength(2)
    clock.advance(1)
    for (let i = 0; i < 3; i += 1) await session.decrypt(record)
    expect(events.keysThat('expiredOnRead')).toHaveLength(4)
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
    expect(events.keysThat('expiredOnRead').map((event) => event.keyId)).toEqual([IK, SYSTEM_KEY_ID])
  })

  it('D-025 off by default', async () => {
    const { session, record, clock } = await expired({ notifyExpiredKeyOnRead: false })
    clock.advance(2 * DAY)
    await session.decrypt(record)
    expect(events.keysThat('expiredOnRead')).toEqual([])
  })
})
