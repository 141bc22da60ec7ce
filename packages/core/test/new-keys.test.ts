import { describe, expect, it } from 'vitest'
import { DecryptionError, KmsError, MetastoreError, WrongPartitionError } from '../src/index.ts'
import {
  bytesOf,
  createPeer,
  createWorld,
  DAY,
  flipped,
  IK,
  intermediateKeyId,
  PLAINTEXT,
  plantIntermediateKey,
  plantSystemKey,
  SYSTEM_KEY_ID,
  textOf,
  type World,
} from './fakes.ts'
import { encrypt, FIRST_CREATED, read } from './one-partition.ts'

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

/** Whether an error was caused by another, at any depth. */
function hasCause(error: Error, cause: Error): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at.cause === cause) return true
  return false
}
