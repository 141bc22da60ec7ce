import { describe, expect, it } from 'vitest'
import {
  CorruptRecordError,
  DecryptionError,
  KeyNotFoundError,
  KmsError,
  MetastoreError,
  WrongPartitionError,
} from '../src/index.ts'
import {
  bytesOf,
  createPeer,
  createWorld,
  DAY,
  flipped,
  intermediateKeyId,
  MINUTE,
  parentOf,
  plantIntermediateKey,
  plantSystemKey,
  START_MS,
  SYSTEM_KEY_ID,
  textOf,
  type World,
} from './fakes.ts'

const IK = intermediateKeyId('p')
/** START_MS is half a minute past a whole one. */
const FIRST_CREATED = START_MS / 1_000 - 30
const PLAINTEXT = bytesOf('4111 1111')

const encrypt = (world: World) => world.factory.getSession('p').encrypt(PLAINTEXT)
const read = async (world: World, record: Awaited<ReturnType<typeof encrypt>>) =>
  textOf(await world.factory.getSession('p').decrypt(record))

/** A store with one record of partition p, five minutes old, and a process that has nothing cached. */
async function written(policy: Parameters<typeof createWorld>[0] = {}) {
  const first = createWorld(policy)
  const record = await encrypt(first)
  first.clock.advance(5 * MINUTE)
  const cold = createPeer(first, policy)
  first.kms.encrypted.length = 0
  return { first, cold, rows: first.rows, kms: first.kms, clock: first.clock, record, ik: parentOf(record) }
}

describe('encrypt, step 1: the cached key', () => {
  it('a fresh and valid latest key needs no metastore and no KMS', async () => {
    const world = createWorld()
    const session = world.factory.getSession('p')
    const first = await session.encrypt(PLAINTEXT)
    world.metastore.forget()
    const second = await session.encrypt(PLAINTEXT)
    expect(parentOf(second)).toEqual(parentOf(first))
    expect(world.metastore.calls).toEqual([])
    expect(world.kms.decrypted).toEqual([])
  })
})

describe('encrypt, step 2: the latest row', () => {
  it('an empty store: one system key, one intermediate key, created truncated to the precision', async () => {
    const world = createWorld()
    const record = await encrypt(world)
    expect(world.rows.all()).toEqual([
      { keyId: SYSTEM_KEY_ID, created: FIRST_CREATED, encryptedKey: expect.any(Uint8Array), revoked: false },
      {
        keyId: IK,
        created: FIRST_CREATED,
        encryptedKey: expect.any(Uint8Array),
        revoked: false,
        parentKeyMeta: { keyId: SYSTEM_KEY_ID, created: FIRST_CREATED },
      },
    ])
    expect(parentOf(record)).toEqual({ keyId: IK, created: FIRST_CREATED })
    // A data row key's own time is not truncated.
    expect(record.key.created).toBe(START_MS / 1_000)
    expect(world.kms.encrypted).toEqual([{ keyId: SYSTEM_KEY_ID, created: FIRST_CREATED }])
    expect(world.kms.decrypted).toEqual([])
  })

  it('a valid row is used: its system key is loaded by the name that the row gives, and nothing is written', async () => {
    const { cold, kms, ik, record } = await written()
    const again = await encrypt(cold)
    expect(parentOf(again)).toEqual(ik)
    expect(cold.metastore.calls.map(({ method, keyId, created }) => [method, keyId, created])).toEqual([
      ['loadLatest', IK, undefined],
      ['load', SYSTEM_KEY_ID, FIRST_CREATED],
    ])
    expect(kms.decrypted).toEqual([{ keyId: SYSTEM_KEY_ID, created: FIRST_CREATED, revoked: false }])
    expect(await read(cold, record)).toBe('4111 1111')
  })

  it('writers ask for rows up to now plus the skew, in whole seconds', async () => {
    const world = createWorld({ clockSkewMs: 7_500 })
    world.clock.step(700)
    await encrypt(world)
    const asked = world.metastore.calls.filter((call) => call.method === 'loadLatest').map((call) => call.notAfter)
    expect(asked).toEqual([START_MS / 1_000 + 8, START_MS / 1_000 + 8])
  })

  it('an intermediate key is unwrapped with the system key it names, not with the latest', async () => {
    const { cold, rows, ik } = await written()
    await plantSystemKey(cold, FIRST_CREATED + 60)
    const record = await encrypt(cold)
    expect(parentOf(record)).toEqual(ik)
    expect(rows.of(SYSTEM_KEY_ID)).toHaveLength(2)
    expect(cold.metastore.count('loadLatest', SYSTEM_KEY_ID)).toBe(0)
    expect(cold.metastore.count('load', SYSTEM_KEY_ID)).toBe(1)
  })

  const replaced: [string, (at: Awaited<ReturnType<typeof written>>) => void, { newSystemKey: boolean }][] = [
    ['revoked', ({ rows, ik }) => rows.revoke(ik), { newSystemKey: false }],
    ['parentless', ({ rows, ik }) => rows.orphan(ik), { newSystemKey: false }],
    ['expired, with its system key', ({ clock }) => clock.advance(90 * DAY), { newSystemKey: true }],
    [
      'without its system key row',
      ({ rows }) => rows.remove({ keyId: SYSTEM_KEY_ID, created: FIRST_CREATED }),
      { newSystemKey: true },
    ],
    [
      'D-014 under a revoked system key',
      ({ rows }) => rows.revoke({ keyId: SYSTEM_KEY_ID, created: FIRST_CREATED }),
      { newSystemKey: true },
    ],
  ]
  it.each(replaced)(
    'a row that is %s is replaced by a new key under a valid system key',
    async (_, spoil, expected) => {
      const at = await written()
      spoil(at)
      const record = await encrypt(at.cold)
      expect(parentOf(record).created).toBeGreaterThan(at.ik.created)
      const parent = at.rows.get(IK, parentOf(record).created)?.parentKeyMeta
      expect(parent?.created !== FIRST_CREATED).toBe(expected.newSystemKey)
      expect(at.rows.get(SYSTEM_KEY_ID, parent?.created ?? 0)?.revoked).toBe(false)
      expect(await read(createPeer(at.first), record)).toBe('4111 1111')
    },
  )

  it('a row that has expired is neither unwrapped nor is its system key loaded', async () => {
    const { cold, rows, ik, clock, kms } = await written()
    rows.edit(ik, { encryptedKey: flipped(rows.get(IK, ik.created)?.encryptedKey ?? new Uint8Array(60)) })
    clock.advance(91 * DAY)
    expect(parentOf(await encrypt(cold)).created).toBeGreaterThan(ik.created)
    expect(cold.metastore.count('load')).toBe(0)
    expect(kms.decrypted).toEqual([])
  })

  it('D-015 a row whose system key has expired is replaced, though it is young itself', async () => {
    const world = createWorld()
    const systemKey = await plantSystemKey(world, FIRST_CREATED - 89 * 86_400)
    plantIntermediateKey(world, IK, FIRST_CREATED, { created: FIRST_CREATED - 89 * 86_400, bytes: systemKey })
    expect(parentOf(await encrypt(world)).created).toBe(FIRST_CREATED)
    world.clock.advance(2 * DAY)
    const record = await encrypt(createPeer(world))
    expect(parentOf(record).created).toBeGreaterThan(FIRST_CREATED)
    expect(world.rows.of(SYSTEM_KEY_ID)).toHaveLength(2)
  })

  it('a revoked system key that the KMS no longer unwraps is replaced all the same', async () => {
    const { cold, kms, rows } = await written()
    rows.revoke({ keyId: SYSTEM_KEY_ID, created: FIRST_CREATED })
    kms.before = (method) => {
      if (method === 'decryptKey') throw new Error('the master key is disabled')
    }
    const record = await encrypt(cold)
    expect(rows.get(IK, parentOf(record).created)?.parentKeyMeta?.created).toBeGreaterThan(FIRST_CREATED)
  })

  it('a KMS that fails is a KmsError with its cause, and nothing is created', async () => {
    const { cold, kms } = await written()
    const cause = new Error('throttled')
    kms.before = () => {
      throw cause
    }
    await expect(encrypt(cold)).rejects.toSatisfy((error) => error instanceof KmsError && error.cause === cause)
    expect(cold.metastore.count('store')).toBe(0)
    expect(cold.crypto.open).toBe(0)
    kms.before = undefined
    expect(await read(cold, await encrypt(cold))).toBe('4111 1111')
  })

  it.each([
    ['the latest intermediate key', 'loadLatest', IK],
    ['the system key', 'load', SYSTEM_KEY_ID],
  ])('D-050 a failing read of %s is a MetastoreError with its cause, and nothing is created', async (_, method, id) => {
    const { cold, kms } = await written()
    const cause = new Error('connection reset')
    cold.metastore.before = (call) => {
      if (call.method === method && call.keyId === id) throw cause
    }
    await expect(encrypt(cold)).rejects.toSatisfy((error) => error instanceof MetastoreError && error.cause === cause)
    expect(cold.metastore.count('store')).toBe(0)
    expect(kms.encrypted).toEqual([])
    expect(cold.crypto.open).toBe(0)
  })

  it('D-050 a failing read of the latest system key creates nothing', async () => {
    const world = createWorld()
    world.metastore.before = (call) => {
      if (call.method === 'loadLatest' && call.keyId === SYSTEM_KEY_ID) throw new Error('down')
    }
    await expect(encrypt(world)).rejects.toBeInstanceOf(MetastoreError)
    expect(world.metastore.count('store')).toBe(0)
    expect(world.kms.encrypted).toEqual([])
  })

  it('a tag that does not verify is a DecryptionError, and nothing is created', async () => {
    const { cold, rows, ik } = await written()
    rows.edit(ik, { encryptedKey: flipped(rows.get(IK, ik.created)?.encryptedKey ?? new Uint8Array(60)) })
    await expect(encrypt(cold)).rejects.toBeInstanceOf(DecryptionError)
    expect(cold.metastore.count('store')).toBe(0)
    expect(cold.crypto.open).toBe(1) // the system key, cached
  })

  it('a wrapped key of a wrong length is a CorruptRecordError, and nothing is created', async () => {
    const { cold, rows, ik } = await written()
    rows.edit(ik, { encryptedKey: new Uint8Array(59) })
    await expect(encrypt(cold)).rejects.toBeInstanceOf(CorruptRecordError)
    expect(cold.metastore.count('store')).toBe(0)
  })

  it.each([
    ['valid', () => {}],
    ['expired', ({ clock }: World) => clock.advance(91 * DAY)],
    ['revoked', ({ rows }: World) => rows.revoke({ keyId: IK, created: FIRST_CREATED })],
  ])("D-010 a %s row under another service's system key is refused before its age is looked at", async (_, spoil) => {
    const world = createWorld()
    const foreign = { keyId: '_SK_other_prod', created: FIRST_CREATED }
    const bytes = await plantSystemKey(world, foreign.created, { keyId: foreign.keyId })
    plantIntermediateKey(world, IK, FIRST_CREATED, { ...foreign, bytes })
    spoil(world)
    await expect(encrypt(world)).rejects.toBeInstanceOf(WrongPartitionError)
    expect(world.metastore.calls.map((call) => call.method)).toEqual(['loadLatest'])
    expect(world.kms.decrypted).toEqual([])
    expect(world.rows.all()).toHaveLength(2)
  })

  it('D-005 a row of another id is a CorruptRecordError, not a shared key', async () => {
    const world = createWorld()
    const other = await world.factory.getSession('P').encrypt(PLAINTEXT)
    const { loadLatest } = world.metastore
    world.metastore.loadLatest = (_keyId, options) => loadLatest(parentOf(other).keyId, options)
    await expect(encrypt(world)).rejects.toBeInstanceOf(CorruptRecordError)
    expect(world.rows.of(IK)).toEqual([])
  })
})

describe('encrypt, step 3: a new key', () => {
  it('store false: the winner is used, and the own key is wiped', async () => {
    const world = createWorld()
    const peer = createPeer(world)
    let raced = false
    world.metastore.before = async (call) => {
      if (call.method !== 'store' || call.keyId !== IK || raced) return
      raced = true
      await encrypt(peer)
    }
    const record = await encrypt(world)
    expect(raced).toBe(true)
    expect(world.rows.of(IK)).toHaveLength(1)
    expect(await read(createPeer(world), record)).toBe('4111 1111')
    expect(world.crypto.made).toBe(3) // a system key, the loser and the winner
    expect(world.crypto.open).toBe(2)
  })

  it('store false: the winner is unwrapped with the system key that the winner names', async () => {
    const world = createWorld()
    await encrypt({ ...world, factory: world.factory })
    const other = FIRST_CREATED + 7
    world.metastore.before = async (call) => {
      if (call.method !== 'store' || call.keyId !== intermediateKeyId('q')) return
      const bytes = await plantSystemKey(world, other)
      plantIntermediateKey(world, call.keyId, call.created ?? 0, { created: other, bytes })
    }
    const record = await world.factory.getSession('q').encrypt(PLAINTEXT)
    expect(world.metastore.count('load', SYSTEM_KEY_ID)).toBe(1)
    expect(textOf(await createPeer(world).factory.getSession('q').decrypt(record))).toBe('4111 1111')
  })

  it('store false for a system key: the intermediate key is wrapped by the winner', async () => {
    const world = createWorld()
    let planted = false
    world.metastore.before = async (call) => {
      if (call.method !== 'store' || call.keyId !== SYSTEM_KEY_ID || planted) return
      planted = true
      await plantSystemKey(world, call.created ?? 0)
    }
    const record = await encrypt(world)
    expect(planted).toBe(true)
    expect(world.crypto.open).toBe(2)
    expect(await read(createPeer(world), record)).toBe('4111 1111')
  })

  type Spoil = (world: World, created: number, bytes: Uint8Array) => void
  const badWinners: [string, Spoil, new (...given: never[]) => Error][] = [
    ['missing', ({ rows }, created) => rows.remove({ keyId: IK, created }), MetastoreError],
    ['revoked', ({ rows }, created) => rows.revoke({ keyId: IK, created }), MetastoreError],
    ['parentless', ({ rows }, created) => rows.orphan({ keyId: IK, created }), MetastoreError],
    ['expired', ({ clock }) => clock.advance(91 * DAY), MetastoreError],
    [
      'under a missing system key',
      ({ rows }, created) => rows.edit({ keyId: IK, created }, { parentKeyMeta: { keyId: SYSTEM_KEY_ID, created: 5 } }),
      MetastoreError,
    ],
    [
      'under a revoked system key',
      ({ rows }, created) => rows.revoke({ keyId: SYSTEM_KEY_ID, created: created + 7 }),
      MetastoreError,
    ],
    [
      'altered',
      ({ rows }, created) => {
        rows.edit({ keyId: IK, created }, { encryptedKey: flipped(rows.get(IK, created)?.encryptedKey ?? bytesOf('')) })
      },
      DecryptionError,
    ],
    [
      "under another service's system key",
      ({ rows }, created) =>
        rows.edit({ keyId: IK, created }, { parentKeyMeta: { keyId: '_SK_other_prod', created: 5 } }),
      WrongPartitionError,
    ],
  ]
  it.each(badWinners)(
    'a winner that is %s throws, is asked for once, and no key stays open',
    async (_, spoil, type) => {
      const world = createWorld()
      world.metastore.after = async (call) => {
        if (call.method !== 'store' || call.keyId !== IK) return
        // The own row has just landed here: it is made a row of another process.
        const created = call.created ?? 0
        const bytes = await plantSystemKey(world, created + 7)
        plantIntermediateKey(world, IK, created, { created: created + 7, bytes })
        spoil(world, created, bytes)
      }
      const { store } = world.metastore
      world.metastore.store = async (...given) => {
        const stored = await store(...given)
        return given[0] === IK ? false : stored
      }
      await expect(encrypt(world)).rejects.toBeInstanceOf(type)
      expect(world.metastore.count('store', IK)).toBe(1)
      expect(world.metastore.count('loadLatest', IK)).toBe(2)
      await world.factory.close()
      expect(world.crypto.open).toBe(0)
    },
  )

  it.each([IK, SYSTEM_KEY_ID])('store of %s throws after it has landed: the row is found and used', async (id) => {
    const world = createWorld()
    world.metastore.after = (call) => {
      if (call.method === 'store' && call.keyId === id) throw new Error('the answer was lost')
    }
    const record = await encrypt(world)
    expect(world.rows.all()).toHaveLength(2)
    expect(world.metastore.count('store', id)).toBe(1)
    expect(world.metastore.count('loadLatest', id)).toBe(2)
    expect(world.crypto.open).toBe(2)
    expect(await read(createPeer(world), record)).toBe('4111 1111')
  })

  it.each([IK, SYSTEM_KEY_ID])(
    'store of %s throws and has not landed: MetastoreError with its error as cause',
    async (id) => {
      const world = createWorld()
      const cause = new Error('disk full')
      world.metastore.before = (call) => {
        if (call.method === 'store' && call.keyId === id) throw cause
      }
      await expect(encrypt(world)).rejects.toSatisfy(
        (error) => error instanceof MetastoreError && hasCause(error, cause),
      )
      expect(world.rows.of(id)).toEqual([])
      expect(world.metastore.count('loadLatest', id)).toBe(2)
      expect(world.crypto.open).toBe(id === IK ? 1 : 0)
    },
  )

  it('store throws and the second look fails too: the error is the one of store', async () => {
    const world = createWorld()
    const cause = new Error('disk full')
    let stored = false
    world.metastore.before = (call) => {
      if (call.keyId !== IK) return
      if (call.method === 'store') {
        stored = true
        throw cause
      }
      if (stored) throw new Error('connection refused')
    }
    await expect(encrypt(world)).rejects.toSatisfy((error) => error instanceof MetastoreError && hasCause(error, cause))
    expect(world.crypto.open).toBe(1)
  })

  it('store throws and the row that is there is revoked: MetastoreError with the error of store as cause', async () => {
    const world = createWorld()
    const cause = new Error('the answer was lost')
    world.metastore.after = (call) => {
      if (call.method !== 'store' || call.keyId !== IK) return
      world.rows.revoke({ keyId: IK, created: call.created ?? 0 })
      throw cause
    }
    await expect(encrypt(world)).rejects.toSatisfy((error) => error instanceof MetastoreError && hasCause(error, cause))
    expect(world.crypto.open).toBe(1)
  })

  it.each([['encryptKey'], ['decryptKey']] as const)(
    'a KMS that fails in %s: KmsError, and no key stays open',
    async (method) => {
      const world = createWorld()
      if (method === 'decryptKey') await plantSystemKey(world, FIRST_CREATED)
      world.kms.before = (called) => {
        if (called === method) throw new Error('no')
      }
      await expect(encrypt(world)).rejects.toBeInstanceOf(KmsError)
      expect(world.metastore.count('store')).toBe(0)
      expect(world.crypto.open).toBe(0)
    },
  )

  it.each(['wrapKey', 'generateKey'] as const)(
    'a crypto provider that fails in %s leaves no key open',
    async (method) => {
      const world = createWorld()
      const session = world.factory.getSession('q')
      await session.encrypt(PLAINTEXT)
      world.crypto.before = (called) => {
        if (called === method) throw new Error('out of memory')
      }
      await expect(encrypt(world)).rejects.toThrow('out of memory')
      expect(world.rows.of(IK)).toEqual([])
      expect(world.crypto.open).toBe(2)
    },
  )

  it('an answer of store that is not true or false is a MetastoreError', async () => {
    const world = createWorld()
    const store = world.metastore.store
    const lying: unknown = async (...given: Parameters<typeof store>) => {
      await store(...given)
      return undefined
    }
    Object.assign(world.metastore, { store: lying })
    // The row has landed: it is found by the second look.
    expect(await read(createPeer(world), await encrypt(world))).toBe('4111 1111')
  })
})

describe('D-016 many creators at once', () => {
  const slowStore = (world: World): void => {
    world.metastore.before = async (call) => {
      if (call.method !== 'store') return
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  it('D-016 50 factories on one empty store with delayed writes: one row of each, and all records decrypt', async () => {
    const world = createWorld()
    const peers = Array.from({ length: 50 }, () => createPeer(world))
    for (const peer of peers) slowStore(peer)
    const records = await Promise.all(peers.map(encrypt))
    expect(world.rows.of(SYSTEM_KEY_ID)).toHaveLength(1)
    expect(world.rows.of(IK)).toHaveLength(1)
    for (const record of records) expect(await read(world, record)).toBe('4111 1111')
    // No loser's key stays open. Fewer, where a session that `encrypt` dropped has been collected already.
    for (const peer of peers) expect(peer.crypto.open).toBeLessThanOrEqual(2)
  })

  it('D-016 50 sessions of one factory: one row of each, and one system key is made', async () => {
    const world = createWorld()
    slowStore(world)
    const sessions = Array.from({ length: 50 }, () => world.factory.getSession('p'))
    const records = await Promise.all(sessions.map((session) => session.encrypt(PLAINTEXT)))
    expect(world.rows.of(SYSTEM_KEY_ID)).toHaveLength(1)
    expect(world.rows.of(IK)).toHaveLength(1)
    expect(world.kms.encrypted).toHaveLength(1)
    const peer = createPeer(world)
    for (const record of records) expect(await read(peer, record)).toBe('4111 1111')
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })

  it('D-053 a lagging replica hides what was just written: an error, no second key, and the next call succeeds', async () => {
    const { cold, rows, first } = await written()
    await first.factory.close()
    rows.revoke({ keyId: IK, created: FIRST_CREATED })
    const writer = createPeer(first)
    const record = await encrypt(writer)
    // This process's reads still see the store as it was before.
    const { loadLatest } = cold.metastore
    let lag = true
    cold.metastore.loadLatest = async (keyId, options) => {
      if (!lag || keyId !== IK) return loadLatest(keyId, options)
      return rows.get(IK, FIRST_CREATED) ?? null
    }
    await expect(encrypt(cold)).rejects.toBeInstanceOf(MetastoreError)
    lag = false
    expect(parentOf(await encrypt(cold))).toEqual(parentOf(record))
    expect(rows.of(IK)).toHaveLength(2)
  })

  it('D-053 a miss of an exact key is not kept: the read succeeds when the row is there', async () => {
    const { cold, record } = await written()
    const { load } = cold.metastore
    let lag = true
    cold.metastore.load = async (...given) => (lag ? null : load(...given))
    await expect(read(cold, record)).rejects.toBeInstanceOf(KeyNotFoundError)
    lag = false
    expect(await read(cold, record)).toBe('4111 1111')
  })
})

/** Whether an error was caused by another, at any depth. */
function hasCause(error: Error, cause: Error): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at.cause === cause) return true
  return false
}
