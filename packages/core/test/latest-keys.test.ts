import { describe, expect, it } from 'vitest'
import { CorruptRecordError, DecryptionError, KmsError, MetastoreError, WrongPartitionError } from '../src/index.ts'
import {
  createPeer,
  createWorld,
  DAY,
  flipped,
  IK,
  PLAINTEXT,
  parentOf,
  plantIntermediateKey,
  plantSystemKey,
  START_MS,
  SYSTEM_KEY_ID,
  type World,
} from './fakes.ts'
import { encrypt, FIRST_CREATED, read, written } from './one-partition.ts'

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
