import { describe, expect, it } from 'vitest'
import { FutureKeyError } from '../src/index.ts'
import { systemClock } from '../src/internal/clock.ts'
import {
  createFakeClock,
  createPeer,
  createWorld,
  DAY,
  HOUR,
  IK,
  MINUTE,
  PLAINTEXT,
  parentOf,
  plantIntermediateKey,
  plantSystemKey,
  SECOND,
  START_MS,
  SYSTEM_KEY_ID,
  textOf,
} from './fakes.ts'

const NOW_SECONDS = START_MS / 1_000

/** A store with keys of partition p dated `ahead` seconds from now, by a process whose clock is ahead. */
async function future(ahead: number, policy: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld(policy)
  const created = NOW_SECONDS + ahead
  const bytes = await plantSystemKey(world, created)
  plantIntermediateKey(world, IK, created, { created, bytes })
  return { ...world, world, created, session: world.factory.getSession('p') }
}

describe('rows dated in the future', () => {
  it('up to the skew, inclusive, they are used for writing', async () => {
    const { session, created, rows } = await future(300)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBe(created)
    expect(rows.all()).toHaveLength(2)
  })

  it('one second further they are not: an older, parallel key is made', async () => {
    const { session, created, rows } = await future(301)
    const own = parentOf(await session.encrypt(PLAINTEXT))
    expect(own.created).toBe(NOW_SECONDS - 30)
    expect(rows.of(IK).map((row) => row.created)).toEqual([own.created, created])
    expect(rows.of(SYSTEM_KEY_ID).map((row) => row.created)).toEqual([own.created, created])
  })

  it('they are readable all the same', async () => {
    const { world, clock } = await future(10 * 86_400)
    clock.advance(10 * DAY)
    const record = await createPeer(world).factory.getSession('p').encrypt(PLAINTEXT)
    clock.advance(-10 * DAY)
    expect(textOf(await createPeer(world).factory.getSession('p').decrypt(record))).toBe('4111 1111')
  })

  it('a metastore that ignores notAfter: FutureKeyError, nothing written, no KMS', async () => {
    const { session, metastore, kms } = await future(301)
    metastore.ignoresNotAfter = true
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(FutureKeyError)
    expect(metastore.count('store')).toBe(0)
    expect(kms.encrypted).toEqual([])
    expect(kms.decrypted).toEqual([])
  })

  it('a metastore that ignores notAfter, with a system key alone in the future', async () => {
    const world = createWorld()
    await plantSystemKey(world, NOW_SECONDS + 301)
    world.metastore.ignoresNotAfter = true
    await expect(world.factory.getSession('p').encrypt(PLAINTEXT)).rejects.toBeInstanceOf(FutureKeyError)
    expect(world.metastore.count('store')).toBe(0)
  })

  it.each([
    ['intermediate', IK],
    ['system', SYSTEM_KEY_ID],
  ])('latest + 1 s beyond the skew (%s key): FutureKeyError, and no key of that kind is written', async (_, id) => {
    const { session, created, rows, crypto } = await future(300)
    rows.revoke({ keyId: id, created })
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(FutureKeyError)
    expect(rows.of(id)).toHaveLength(1)
    expect(crypto.open).toBeLessThanOrEqual(1)
  })

  it('latest + 1 s within the skew: the new key is dated after the latest', async () => {
    const { session, created, rows } = await future(299)
    rows.revoke({ keyId: IK, created })
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBe(created + 1)
  })

  it('a skew of 0 believes nothing that is ahead', async () => {
    const { session } = await future(1, { clockSkewMs: 0 })
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBe(NOW_SECONDS - 30)
  })
})

describe('D-020 a clock that goes backwards', () => {
  const policy = { expireAfterMs: 30 * DAY, revokeCheckIntervalMs: HOUR }

  async function written(more: Parameters<typeof createWorld>[0] = {}) {
    const world = createWorld({ ...policy, ...more })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    return { ...world, world, session, record, ik: parentOf(record) }
  }

  it.each(['the process that wrote', 'a cold process'])(
    'D-020 within the skew: the stored latest is reused by %s',
    async (who) => {
      const { world, session, clock, ik, rows } = await written()
      clock.step(-4 * MINUTE)
      const writer = who === 'a cold process' ? createPeer(world, policy).factory.getSession('p') : session
      expect(parentOf(await writer.encrypt(PLAINTEXT))).toEqual(ik)
      expect(rows.all()).toHaveLength(2)
    },
  )

  it('D-020 within the skew: no new key is dated below the latest', async () => {
    const { session, clock, ik, rows, world } = await written()
    clock.step(-4 * MINUTE)
    rows.revoke(ik)
    const cold = parentOf(await createPeer(world, policy).factory.getSession('p').encrypt(PLAINTEXT))
    expect(cold.created).toBe(ik.created + 1)
    rows.revoke(cold)
    clock.advance(HOUR)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(cold.created)
  })

  it('D-020 an hour back: reads work, writes use a parallel key, and the newest is adopted when the time has come', async () => {
    const { session, clock, ik, rows, record, metastore } = await written()
    clock.step(-HOUR)
    // The cached key is held to the same test as a row.
    const parallel = parentOf(await session.encrypt(PLAINTEXT))
    expect(parallel.created).toBe(ik.created - 3_600)
    expect(textOf(await session.decrypt(record))).toBe('4111 1111')
    metastore.forget()
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(parallel)
    expect(metastore.calls).toEqual([])
    clock.step(HOUR)
    clock.advance(HOUR)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    expect(rows.of(IK).map((row) => row.created)).toEqual([parallel.created, ik.created])
  })

  it('D-020 an hour back, in a cold process: one parallel key, not one for each write', async () => {
    const { world, clock, ik, rows } = await written()
    clock.step(-HOUR)
    const cold = createPeer(world, policy).factory.getSession('p')
    for (let i = 0; i < 5; i += 1) expect(parentOf(await cold.encrypt(PLAINTEXT)).created).toBe(ik.created - 3_600)
    expect(rows.of(IK)).toHaveLength(2)
    expect(rows.of(SYSTEM_KEY_ID)).toHaveLength(2)
  })

  it('D-020 revocations are noticed on time while the wall clock goes back', async () => {
    const { session, clock, rows, ik } = await written()
    rows.revoke(ik)
    for (let minute = 1; minute < 60; minute += 1) {
      clock.advance(MINUTE)
      clock.step(-MINUTE)
      expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    }
    clock.advance(MINUTE)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(ik.created)
  })

  it('D-020 a wall clock that leaps ahead makes nothing stale', async () => {
    const { session, clock, metastore, ik, record } = await written()
    metastore.forget()
    clock.step(29 * DAY)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    await session.decrypt(record)
    expect(metastore.calls).toEqual([])
  })

  it.each([0, 1, 999, 30 * SECOND, MINUTE, 2 * MINUTE])(
    'D-020 a host in 1970, %i ms after its beginning',
    async (now) => {
      const world = createWorld(policy, { clock: createFakeClock(now) })
      const record = await world.factory.getSession('p').encrypt(PLAINTEXT)
      expect(record.key.created).toBeGreaterThan(0)
      const peer = createPeer(world, policy).factory.getSession('p')
      expect(textOf(await peer.decrypt(JSON.stringify(record)))).toBe('4111 1111')
      expect(parentOf(await peer.encrypt(PLAINTEXT))).toEqual(parentOf(record))
      world.clock.set(START_MS)
      const later = await createPeer(world, policy).factory.getSession('p').encrypt(PLAINTEXT)
      expect(parentOf(later).created).toBe(NOW_SECONDS - 30)
    },
  )

  it('a precision coarser than the time since 1970 makes no key at 0', async () => {
    const world = createWorld({ expireAfterMs: Number.POSITIVE_INFINITY, createDatePrecisionMs: 100 * 365 * DAY })
    const record = await world.factory.getSession('p').encrypt(PLAINTEXT)
    expect(textOf(await createPeer(world).factory.getSession('p').decrypt(record))).toBe('4111 1111')
  })
})

describe('the system clock', () => {
  it('tells Unix milliseconds, and monotonic milliseconds that do not decrease', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(60_000)
    const first = systemClock.monotonicMs()
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(first)
  })
})
