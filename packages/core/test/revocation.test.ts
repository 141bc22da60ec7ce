import { describe, expect, it } from 'vitest'
import { KeyNotFoundError, KmsError, MetastoreError } from '../src/index.ts'
import {
  createDeferred,
  createPeer,
  createWorld,
  HOUR,
  IK,
  MINUTE,
  PLAINTEXT,
  parentOf,
  plantIntermediateKey,
  SYSTEM_KEY_ID,
  textOf,
  until,
} from './fakes.ts'
import { writing } from './one-partition.ts'
import { recordEachTest } from './recorded-events.ts'

const policy = { revokeCheckIntervalMs: HOUR }

const events = recordEachTest()

describe('the write path notices', () => {
  it('D-011 a revoked key at the first check after the interval, in a process that only encrypts', async () => {
    const { session, rows, clock, ik, metastore } = await writing()
    rows.revoke(ik)
    clock.advance(HOUR - 1)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    expect(metastore.calls).toEqual([])
    clock.advance(1)
    const next = parentOf(await session.encrypt(PLAINTEXT))
    expect(next.created).toBeGreaterThan(ik.created)
    for (let i = 0; i < 5; i += 1) {
      clock.advance(HOUR)
      expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(next)
    }
    expect(rows.of(IK)).toHaveLength(2)
    expect(events.key.filter((event) => event.event === 'revoked')).toEqual([{ event: 'revoked', ...ik }])
  })

  it('D-011 the old record still decrypts, and its key stays in the cache', async () => {
    const { session, rows, clock, ik, record, world } = await writing()
    rows.revoke(ik)
    clock.advance(HOUR)
    await session.encrypt(PLAINTEXT)
    expect(textOf(await session.decrypt(record))).toBe('4111 1111')
    expect(textOf(await createPeer(world).factory.getSession('p').decrypt(record))).toBe('4111 1111')
  })

  it('D-011 a revoked entry is final: a row that is valid again does not write again', async () => {
    const { session, rows, clock, ik } = await writing()
    rows.revoke(ik)
    clock.advance(HOUR)
    const next = parentOf(await session.encrypt(PLAINTEXT))
    rows.remove(next)
    rows.edit(ik, { revoked: false })
    clock.advance(HOUR)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(ik.created)
  })

  it('D-012 a key that another process rotated is adopted at the next check, and none is made', async () => {
    const { session, rows, clock, ik, world } = await writing()
    rows.revoke(ik)
    clock.advance(30 * MINUTE)
    const other = parentOf(await createPeer(world, policy).factory.getSession('p').encrypt(PLAINTEXT))
    clock.advance(30 * MINUTE)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(other)
    expect(rows.of(IK)).toHaveLength(2)
    expect(rows.of(SYSTEM_KEY_ID)).toHaveLength(1)
  })

  it('D-012 a newer key is adopted also while the own one is valid', async () => {
    const { session, rows, clock, ik, kms, sk } = await writing()
    const bytes = await kms.decryptKey(rows.get(sk.keyId, sk.created)?.encryptedKey ?? new Uint8Array(60))
    plantIntermediateKey({ rows }, IK, ik.created + 120, { created: sk.created, bytes })
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(ik)
    clock.advance(HOUR)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBe(ik.created + 120)
  })

  it('D-014 a revoked system key within one interval, not two, though the intermediate key is younger', async () => {
    const world = createWorld(policy)
    await world.factory.getSession('q').encrypt(PLAINTEXT)
    const session = world.factory.getSession('p')
    world.clock.advance(50 * MINUTE)
    const record = await session.encrypt(PLAINTEXT)
    const sk = { keyId: SYSTEM_KEY_ID, created: world.rows.of(SYSTEM_KEY_ID)[0]?.created ?? 0 }
    world.rows.revoke(sk)
    world.clock.advance(9 * MINUTE)
    expect(parentOf(await session.encrypt(PLAINTEXT))).toEqual(parentOf(record))
    world.clock.advance(MINUTE)
    const next = parentOf(await session.encrypt(PLAINTEXT))
    expect(next.created).toBeGreaterThan(parentOf(record).created)
    expect(world.rows.get(IK, next.created)?.parentKeyMeta?.created).toBeGreaterThan(sk.created)
    expect(textOf(await session.decrypt(record))).toBe('4111 1111')
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })

  it('D-014 what one partition has noticed of the system key holds for all at once', async () => {
    const world = createWorld({ ...policy, sharedIntermediateKeyCache: true })
    const sessions = ['a', 'b', 'c'].map((name) => world.factory.getSession(name))
    const before = []
    for (const session of sessions) before.push(parentOf(await session.encrypt(PLAINTEXT)))
    world.rows.revoke({ keyId: SYSTEM_KEY_ID, created: world.rows.of(SYSTEM_KEY_ID)[0]?.created ?? 0 })
    world.clock.advance(HOUR)
    for (const [i, session] of sessions.entries()) {
      expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(before[i]?.created ?? 0)
    }
    expect(world.rows.of(SYSTEM_KEY_ID)).toHaveLength(2)
  })

  it('a row that has vanished: a new key is made', async () => {
    const { session, rows, clock, ik, record } = await writing()
    clock.advance(HOUR)
    rows.remove(ik)
    expect(parentOf(await session.encrypt(PLAINTEXT)).created).toBeGreaterThan(ik.created)
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(KeyNotFoundError)
  })

  it('a system key row that has vanished: both keys are made anew', async () => {
    const { session, rows, clock, ik, sk, crypto } = await writing()
    clock.advance(HOUR)
    rows.remove(sk)
    const next = parentOf(await session.encrypt(PLAINTEXT))
    expect(next.created).toBeGreaterThan(ik.created)
    expect(rows.get(IK, next.created)?.parentKeyMeta?.created).toBe(rows.of(SYSTEM_KEY_ID)[0]?.created)
    expect(crypto.open).toBe(3)
  })

  it('a revoked key whose successor cannot be made: the error, never the revoked key', async () => {
    const { session, rows, clock, ik, metastore } = await writing({ staleGraceMs: HOUR })
    rows.revoke(ik)
    clock.advance(HOUR)
    metastore.before = (call) => {
      if (call.method === 'store') throw new Error('disk full')
    }
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(MetastoreError)
  })

  it.each([
    ['all rows are stale', 0],
    ['the system key alone is stale', HOUR / 2],
  ])('a revocation is taken from the row also when its key no longer unwraps: %s', async (_, between) => {
    const { world, rows, clock, sk, kms } = await writing()
    const session = world.factory.getSession('p2')
    clock.advance(between)
    const before = parentOf(await session.encrypt(PLAINTEXT))
    rows.edit(sk, { revoked: true, encryptedKey: new Uint8Array(60) })
    clock.advance(HOUR - between)
    kms.before = (method) => {
      if (method === 'decryptKey') throw new Error('no such master key')
    }
    const { keyId, created } = parentOf(await session.encrypt(PLAINTEXT))
    expect(created).toBeGreaterThan(before.created)
    expect(rows.get(keyId, created)?.parentKeyMeta?.created).toBeGreaterThan(sk.created)
  })

  it('a system key that was wrapped anew and does not unwrap, but is not revoked, is a KmsError', async () => {
    const { session, rows, clock, sk, kms, metastore } = await writing()
    rows.edit(sk, { encryptedKey: new Uint8Array(60) })
    clock.advance(HOUR)
    await expect(session.encrypt(PLAINTEXT)).rejects.toBeInstanceOf(KmsError)
    expect(metastore.count('store')).toBe(0)
    expect(kms.encrypted).toHaveLength(1)
  })
})

describe('a read that took longer than the interval', () => {
  it.each([
    ['loadLatest', '_IK_'],
    ['load', '_SK_'],
    ['store', '_IK_'],
  ] as const)('is made once more before its key writes: %s %s', async (method, prefix) => {
    const first = createWorld(policy)
    if (method !== 'store') await first.factory.getSession('p').encrypt(PLAINTEXT)
    const world = createPeer(first, policy)
    const { clock, rows } = first
    const gate = createDeferred()
    let held = false
    // The answer is on its way while the key is revoked and more than an interval passes.
    world.metastore.after = (call) => {
      if (held || call.method !== method || !call.keyId.startsWith(prefix)) return
      held = true
      return gate.promise
    }
    const writing = world.factory.getSession('p').encrypt(PLAINTEXT)
    await until(() => held)
    const [ik] = rows.of(IK)
    if (ik === undefined) throw new Error('the test expects a key')
    rows.revoke(prefix === '_SK_' && ik.parentKeyMeta ? ik.parentKeyMeta : ik)
    clock.advance(HOUR)
    gate.resolve()
    expect(parentOf(await writing)).not.toEqual({ keyId: IK, created: ik.created })
    expect(rows.of(IK)).toHaveLength(2)
  })

  it('more slow reads do not keep a call for ever: the second one is believed', async () => {
    const world = createWorld(policy)
    world.metastore.after = () => world.clock.advance(2 * HOUR)
    await world.factory.getSession('p').encrypt(PLAINTEXT)
    expect(world.rows.of(IK)).toHaveLength(1)
    expect(world.metastore.count('loadLatest', '_IK_')).toBe(2)
  })
})
