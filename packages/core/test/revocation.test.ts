import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { KeyNotFoundError, KmsError, MetastoreError } from '../src/index.ts'
import {
  bytesOf,
  createDeferred,
  createPeer,
  createWorld,
  HOUR,
  intermediateKeyId,
  MINUTE,
  parentOf,
  plantIntermediateKey,
  plantSystemKey,
  type Recording,
  recordEvents,
  SYSTEM_KEY_ID,
  textOf,
  until,
} from './fakes.ts'

const IK = intermediateKeyId('p')
const PLAINTEXT = bytesOf('4111 1111')
const policy = { revokeCheckIntervalMs: HOUR }

let events: Recording
beforeEach(() => {
  events = recordEvents()
})
afterEach(() => events.stop())

/** A session that has written once, at the beginning of an interval. */
async function writing(more: Parameters<typeof createWorld>[0] = {}) {
  const world = createWorld({ ...policy, ...more })
  const session = world.factory.getSession('p')
  const record = await session.encrypt(PLAINTEXT)
  world.metastore.forget()
  const sk = { keyId: SYSTEM_KEY_ID, created: world.rows.of(SYSTEM_KEY_ID)[0]?.created ?? 0 }
  return { ...world, world, session, record, ik: parentOf(record), sk }
}

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
