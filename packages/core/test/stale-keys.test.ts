import { describe, expect, it } from 'vitest'
import { KeyNotFoundError, MetastoreError } from '../src/index.ts'
import {
  createDeferred,
  createPeer,
  type createWorld,
  DAY,
  HOUR,
  IK,
  isPending,
  MINUTE,
  PLAINTEXT,
  parentOf,
  SECOND,
  SYSTEM_KEY_ID,
  settle,
  textOf,
} from './fakes.ts'
import { writing as writingOnce } from './one-partition.ts'
import { recordEachTest } from './recorded-events.ts'

const events = recordEachTest()

const warnings = (code: string) => events.warning.filter((event) => event.code === code).length

/** A session that has written once, over a store that can be taken down. */
async function writing(policy: Parameters<typeof createWorld>[0]) {
  const parts = await writingOnce(policy)
  const { world } = parts
  const down = () => {
    world.metastore.before = () => {
      throw new Error('down')
    }
  }
  const up = () => {
    world.metastore.before = undefined
  }
  return { ...parts, down, up }
}

describe('by default', () => {
  it('a stale key waits for its re-check', async () => {
    const { session, clock, metastore, ik } = await writing({})
    clock.advance(HOUR)
    const gate = createDeferred()
    metastore.before = () => gate.promise
    const encrypting = session.encrypt(PLAINTEXT)
    expect(await isPending(encrypting)).toBe(true)
    gate.resolve()
    expect(parentOf(await encrypting)).toEqual(ik)
  })

  it('staleGraceMs 0: a failed re-check is the error of the call, for encrypt and decrypt', async () => {
    const { session, clock, record, down, up } = await writing({})
    clock.advance(HOUR)
    down()
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(MetastoreError)
    expect(warnings('STALE_KEY_IN_GRACE')).toBe(0)
    up()
    expect(textOf(await session.decrypt(await session.encrypt(PLAINTEXT)))).toBe('4111 1111')
  })
})

describe('staleWhileRevalidate', () => {
  const policy = { staleWhileRevalidate: true }

  it('a stale key is used at once while one re-check runs behind', async () => {
    const { session, clock, metastore, ik, record } = await writing(policy)
    clock.advance(HOUR)
    const gate = createDeferred()
    metastore.before = () => gate.promise
    for (let i = 0; i < 10; i += 1) {
      expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
      await session.decrypt(record)
    }
    expect(metastore.count('loadLatest', IK)).toBe(1)
    expect(metastore.count('load', IK)).toBe(1)
    expect(metastore.count('load', SYSTEM_KEY_ID)).toBe(1)
    expect(metastore.count()).toBe(3)
    gate.resolve()
    await settle()
    metastore.forget()
    clock.advance(HOUR - 1)
    await session.encrypt(PLAINTEXT)
    await session.decrypt(record)
    expect(metastore.calls).toEqual([])
  })

  it('a revocation is noticed by the re-check behind: the next encrypt uses a new key', async () => {
    const { session, clock, rows, ik } = await writing(policy)
    rows.revoke(ik)
    clock.advance(HOUR)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    await settle()
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(ik.created)
  })

  it('a revoked system key is noticed by the re-check behind, too', async () => {
    const { session, clock, rows, ik, sk } = await writing(policy)
    rows.revoke(sk)
    clock.advance(HOUR)
    await session.encrypt(PLAINTEXT)
    await settle()
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(ik.created)
  })

  it('never past a second interval: then the call waits', async () => {
    const { session, clock, metastore, rows, ik } = await writing(policy)
    rows.revoke(ik)
    clock.advance(2 * HOUR - 1)
    const gate = createDeferred()
    metastore.before = () => gate.promise
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    clock.advance(1)
    const encrypting = session.encrypt(PLAINTEXT)
    expect(await isPending(encrypting)).toBe(true)
    gate.resolve()
    expect(parentOf(await encrypting).created).toBeGreaterThan(ik.created)
  })

  it('an expired key is not used while it is re-checked: it waits for its successor', async () => {
    const { session, clock, ik } = await writing({ ...policy, expireAfterMs: HOUR })
    clock.advance(HOUR + MINUTE)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(ik.created)
  })

  it('re-checks behind that fail: a warning each, back-off, and an error after the second interval', async () => {
    const { session, clock, metastore, ik, down, up } = await writing(policy)
    clock.advance(HOUR)
    down()
    await session.encrypt(PLAINTEXT)
    await settle()
    let reads = 1
    for (const delay of [1, 2, 4]) {
      clock.advance(delay * SECOND - 1)
      await session.encrypt(PLAINTEXT)
      await settle()
      expect(metastore.count('loadLatest')).toBe(reads)
      clock.advance(1)
      expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
      await settle()
      reads += 1
      expect(metastore.count('loadLatest')).toBe(reads)
    }
    expect(warnings('REVALIDATION_FAILED')).toBeGreaterThanOrEqual(reads)
    clock.advance(HOUR)
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
    up()
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
  })

  it('close waits for a re-check behind', async () => {
    const { session, clock, metastore, world } = await writing(policy)
    clock.advance(HOUR)
    const gate = createDeferred()
    metastore.before = () => gate.promise
    await session.encrypt(PLAINTEXT)
    const closing = world.factory.close()
    expect(await isPending(closing)).toBe(true)
    gate.resolve()
    await closing
    expect(world.crypto.open).toBe(0)
  })
})

describe('staleGraceMs', () => {
  const policy = { staleGraceMs: 10 * MINUTE }

  it('a failed re-check lets the key write and read on, with a warning, until the grace is over', async () => {
    const { session, clock, ik, record, down, up } = await writing(policy)
    clock.advance(HOUR)
    down()
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    expect(textOf(await session.decrypt(record))).toBe('4111 1111')
    expect(warnings('STALE_KEY_IN_GRACE')).toBeGreaterThanOrEqual(1)
    expect(events.warning[0]?.cause).toBeInstanceOf(MetastoreError)
    clock.advance(10 * MINUTE - 1)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    await session.decrypt(record)
    clock.advance(1)
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(MetastoreError)
    up()
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    expect(textOf(await session.decrypt(record))).toBe('4111 1111')
  })

  it('re-checks back off: 1 s doubling to 30 s, and nothing is read in between', async () => {
    const { session, clock, metastore, down } = await writing(policy)
    clock.advance(HOUR)
    down()
    await session.encrypt(PLAINTEXT)
    await session.encrypt(PLAINTEXT)
    expect(metastore.count('loadLatest')).toBe(1)
    expect(metastore.count('load')).toBe(1)
    let reads = 1
    for (const delay of [1, 2, 4, 8, 16, 30, 30]) {
      clock.advance(delay * SECOND - 1)
      for (let i = 0; i < 3; i += 1) await session.encrypt(PLAINTEXT)
      expect(metastore.count('loadLatest'), `before ${delay} s`).toBe(reads)
      clock.advance(1)
      for (let i = 0; i < 3; i += 1) await session.encrypt(PLAINTEXT)
      reads += 1
      expect(metastore.count('loadLatest'), `after ${delay} s`).toBe(reads)
      expect(metastore.count('load')).toBe(reads)
    }
  })

  it('decrypts back off in the same way', async () => {
    const { session, clock, metastore, down, record } = await writing(policy)
    clock.advance(HOUR)
    down()
    for (let i = 0; i < 3; i += 1) await session.decrypt(record)
    expect(metastore.count()).toBe(1)
    clock.advance(SECOND)
    for (let i = 0; i < 3; i += 1) await session.decrypt(record)
    expect(metastore.count()).toBe(2)
  })

  it('only the system key cannot be re-checked: the same grace', async () => {
    const { session, clock, metastore, ik } = await writing(policy)
    clock.advance(HOUR)
    metastore.before = (call) => {
      if (call.keyId === SYSTEM_KEY_ID) throw new Error('down')
    }
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    clock.advance(10 * MINUTE)
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
  })

  it('a key that is known to be revoked does not write in grace', async () => {
    const { session, clock, rows, ik, metastore, down } = await writing(policy)
    clock.advance(HOUR)
    down()
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    rows.revoke(ik)
    clock.advance(SECOND)
    metastore.before = (call) => {
      if (call.method === 'store') throw new Error('read only')
    }
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
    down()
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
  })

  it('a key under a system key that has just been found revoked does not write in grace', async () => {
    const { session, clock, rows, sk, metastore } = await writing(policy)
    rows.revoke(sk)
    clock.advance(HOUR)
    metastore.before = (call) => {
      if (call.keyId === IK) throw new Error('down')
    }
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
  })

  it("the grace ends with the system key's, which was read earlier", async () => {
    const { world, clock, down } = await writing(policy)
    clock.advance(30 * MINUTE)
    const session = world.factory.getSession('q')
    const younger = parentOf(await session.encrypt(PLAINTEXT))
    down()
    clock.advance(40 * MINUTE - 1)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(younger)
    clock.advance(1)
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
    clock.advance(20 * MINUTE)
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
  })

  it('an expired key does not write in grace', async () => {
    const { session, clock, down } = await writing({ ...policy, expireAfterMs: HOUR })
    clock.advance(HOUR + MINUTE)
    down()
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
  })

  it('in queued rotation an expired key does, since it may write', async () => {
    const { session, clock, ik, down } = await writing({ ...policy, expireAfterMs: HOUR, rotation: 'queued' })
    clock.advance(HOUR + MINUTE)
    down()
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
  })

  it('a row that has vanished is an answer, not a failure: no grace', async () => {
    const { session, clock, rows, ik, record, down, up } = await writing(policy)
    clock.advance(HOUR)
    down()
    await session.decrypt(record)
    up()
    rows.remove(ik)
    clock.advance(SECOND)
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(KeyNotFoundError)
  })

  it('a cold process has no grace: nothing is cached', async () => {
    const { world, record } = await writing(policy)
    const peer = createPeer(world, policy)
    peer.metastore.before = () => {
      throw new Error('down')
    }
    await expect(peer.factory.getSession('p').decrypt(record)).rejects.toBeInstanceOf(MetastoreError)
    await expect(peer.factory.getSession('p').encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
  })

  it('with staleWhileRevalidate the grace follows the second interval', async () => {
    const { session, clock, ik, down } = await writing({ ...policy, staleWhileRevalidate: true, expireAfterMs: DAY })
    clock.advance(2 * HOUR)
    down()
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    clock.advance(10 * MINUTE)
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
  })
})
