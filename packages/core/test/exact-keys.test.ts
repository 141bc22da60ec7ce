import { describe, expect, it } from 'vitest'
import { openAes256Gcm, sealAes256Gcm } from '../src/backend.ts'
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
  createFakeMetastore,
  createPeer,
  createWorld,
  DAY,
  flipped,
  HOUR,
  IK,
  MINUTE,
  parentOf,
  plantSystemKey,
  SYSTEM_KEY_ID,
  textOf,
} from './fakes.ts'

const NO_KEY = new Uint8Array(60)

/** One record of partition p, and a process that has nothing cached. */
async function written(policy: Parameters<typeof createWorld>[0] = {}) {
  const first = createWorld(policy)
  const record = await first.factory.getSession('p').encrypt(bytesOf('secret'))
  const cold = createPeer(first, policy)
  const session = cold.factory.getSession('p')
  const { rows, kms, clock } = first
  const ik = parentOf(record)
  const sk = { keyId: SYSTEM_KEY_ID, created: rows.get(IK, ik.created)?.parentKeyMeta?.created ?? 0 }
  return { first, cold, session, rows, kms, clock, record, ik, sk }
}

describe('decrypt: which keys are read', () => {
  it('exactly the intermediate key that the record names, and the system key that its row names', async () => {
    const { cold, session, record, ik, sk, kms } = await written()
    expect(textOf(await session.decrypt(record))).toBe('secret')
    expect(cold.metastore.calls.map(({ method, keyId, created }) => [method, keyId, created])).toEqual([
      ['load', ik.keyId, ik.created],
      ['load', sk.keyId, sk.created],
    ])
    expect(kms.decrypted).toEqual([{ ...sk, revoked: false }])
  })

  it('D-023 the outer Created is informational', async () => {
    const { session, record } = await written()
    const wire = record.toJSON()
    const changed = { ...wire, Key: { ...wire.Key, Created: wire.Key.Created - 12_345 } }
    expect(textOf(await session.decrypt(changed))).toBe('secret')
  })

  it('expired and revoked keys read', async () => {
    const { cold, session, record, rows, clock, ik, sk } = await written()
    rows.revoke(ik)
    rows.revoke(sk)
    clock.advance(500 * DAY)
    expect(textOf(await session.decrypt(record))).toBe('secret')
    expect(cold.kms.decrypted.at(-1)).toEqual({ ...sk, revoked: true })
    expect(cold.metastore.count('store')).toBe(0)
  })

  it.each([1, -1, 60])(
    'never "latest" for an exact key: created %i s off is KeyNotFoundError, and nothing is made',
    async (off) => {
      const { cold, session, record, ik } = await written()
      const named = { ...record.key.parentKeyMeta, created: ik.created + off }
      const tampered = { key: { ...record.key, parentKeyMeta: named }, data: record.data }
      await expect(session.decrypt(tampered)).rejects.toMatchObject({ code: 'ERR_ASHERAH_KEY_NOT_FOUND', ...named })
      expect(cold.metastore.calls.map((call) => call.method)).toEqual(['load'])
      expect(cold.rows.all()).toHaveLength(2)
    },
  )

  it('D-009 a tampered created writes nothing, and does not stop rotation', async () => {
    const { cold, session, record, ik, clock } = await written()
    const far = { keyId: ik.keyId, created: ik.created + 1_000_000_000 }
    await expect(
      session.decrypt({ key: { ...record.key, parentKeyMeta: far }, data: record.data }),
    ).rejects.toBeInstanceOf(KeyNotFoundError)
    expect(cold.metastore.count('store')).toBe(0)
    clock.advance(91 * DAY)
    const later = parentOf(await createPeer(cold).factory.getSession('p').encrypt(bytesOf('x')))
    expect(later.created).toBeGreaterThan(ik.created)
    expect(later.created * 1_000).toBeLessThanOrEqual(clock.now())
  })

  it('ids that end in digits and times are never mistaken for each other', async () => {
    const world = createWorld({ sharedIntermediateKeyCache: true })
    // The id and the time, written one after the other in either order, would be the same text.
    const names = ['1', '11', '1|1', `${Math.floor(world.clock.now() / 60_000) * 60}`, '|']
    const records = []
    for (const name of names) records.push(await world.factory.getSession(name).encrypt(bytesOf(name)))
    expect(world.crypto.open).toBe(names.length + 1)
    for (const [i, name] of names.entries()) {
      const record = records[i]
      if (record === undefined) throw new Error('a record for each name')
      expect(textOf(await world.factory.getSession(name).decrypt(record))).toBe(name)
    }
  })
})

describe('decrypt: what is missing or wrong', () => {
  it('the row of the intermediate key is missing', async () => {
    const { cold, session, record, rows, ik } = await written()
    rows.remove(ik)
    await expect(session.decrypt(record)).rejects.toMatchObject({ code: 'ERR_ASHERAH_KEY_NOT_FOUND', ...ik })
    expect(cold.crypto.made).toBe(0)
  })

  it('the row of the system key is missing: the error names it', async () => {
    const { cold, session, record, rows, sk } = await written()
    rows.remove(sk)
    await expect(session.decrypt(record)).rejects.toMatchObject({ code: 'ERR_ASHERAH_KEY_NOT_FOUND', ...sk })
    expect(cold.crypto.made).toBe(0)
  })

  it('a parentless intermediate key', async () => {
    const { session, record, rows, ik } = await written()
    rows.orphan(ik)
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(CorruptRecordError)
  })

  it("D-010 an intermediate key under another service's system key: no KMS call, and that key is not read", async () => {
    const { cold, session, record, rows, ik, sk, kms } = await written()
    await plantSystemKey(cold, sk.created, { keyId: '_SK_other_prod' })
    rows.edit(ik, { parentKeyMeta: { keyId: '_SK_other_prod', created: sk.created } })
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(WrongPartitionError)
    expect(cold.metastore.count('load', '_SK_')).toBe(0)
    expect(kms.decrypted).toEqual([])
  })

  it('D-010 the parent is compared by created too: another system key of the right id does not unwrap', async () => {
    const { cold, session, record, rows, ik, sk } = await written()
    await plantSystemKey(cold, sk.created + 1)
    rows.edit(ik, { parentKeyMeta: { keyId: SYSTEM_KEY_ID, created: sk.created + 1 } })
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(DecryptionError)
    expect(cold.crypto.open).toBe(1)
  })

  it('an altered intermediate key', async () => {
    const { session, record, rows, ik } = await written()
    rows.edit(ik, { encryptedKey: flipped(rows.get(IK, ik.created)?.encryptedKey ?? NO_KEY) })
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(DecryptionError)
  })

  it('a KMS that fails, then works: the failure is not kept', async () => {
    const { cold, session, record, kms } = await written()
    const cause = new Error('throttled')
    kms.before = () => {
      throw cause
    }
    await expect(session.decrypt(record)).rejects.toSatisfy(
      (error) => error instanceof KmsError && error.cause === cause,
    )
    kms.before = undefined
    expect(textOf(await session.decrypt(record))).toBe('secret')
    expect(cold.crypto.open).toBe(2)
  })

  it('D-100 a KMS that answers with a key of a wrong length: KmsError, and what it gave is wiped', async () => {
    const { session, record, kms } = await written()
    const short = new Uint8Array(31).fill(9)
    kms.decryptKey = async () => short
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(KmsError)
    expect(short.every((byte) => byte === 0)).toBe(true)
  })

  it('a metastore that fails, then works: the failure is not kept', async () => {
    const { cold, session, record } = await written()
    const cause = new Error('connection reset')
    cold.metastore.before = () => {
      throw cause
    }
    await expect(session.decrypt(record)).rejects.toSatisfy(
      (error) => error instanceof MetastoreError && error.cause === cause,
    )
    cold.metastore.before = undefined
    expect(textOf(await session.decrypt(record))).toBe('secret')
  })
})

describe('re-checks of an exact key', () => {
  const policy = { revokeCheckIntervalMs: HOUR }

  /** A session that holds the record's key in its cache. */
  async function cached() {
    const at = await written(policy)
    await at.session.decrypt(at.record)
    at.cold.metastore.forget()
    at.kms.decrypted.length = 0
    return at
  }

  it('a fresh key is not read again; a stale one is, without the KMS, when encryptedKey is unchanged', async () => {
    const { cold, session, record, clock, kms, ik } = await cached()
    clock.advance(HOUR - 1)
    await session.decrypt(record)
    expect(cold.metastore.calls).toEqual([])
    clock.advance(1)
    await session.decrypt(record)
    // Only the row of the key that reads: a decrypt asks nothing of the system key.
    expect(cold.metastore.calls).toMatchObject([{ method: 'load', keyId: ik.keyId, created: ik.created }])
    expect(kms.decrypted).toEqual([])
    expect(cold.crypto.made).toBe(2)
  })

  it('a changed encryptedKey is unwrapped again, without the KMS: its system key is cached', async () => {
    const { cold, session, record, clock, rows, ik, sk, kms } = await cached()
    const systemKey = await kms.decryptKey(rows.get(sk.keyId, sk.created)?.encryptedKey ?? NO_KEY)
    const key = openAes256Gcm(rows.get(IK, ik.created)?.encryptedKey ?? NO_KEY, systemKey)
    kms.decrypted.length = 0
    rows.edit(ik, { encryptedKey: sealAes256Gcm(key, systemKey) })
    clock.advance(HOUR - 1)
    await session.decrypt(record)
    expect(cold.crypto.made).toBe(2)
    clock.advance(1)
    expect(textOf(await session.decrypt(record))).toBe('secret')
    expect(cold.crypto.made).toBe(3)
    expect(cold.crypto.open).toBe(2)
    expect(kms.decrypted).toEqual([])
  })

  it('a row that was altered since: DecryptionError, and the cached key is not used in its place', async () => {
    const { session, record, clock, rows, ik } = await cached()
    const before = rows.get(IK, ik.created)?.encryptedKey ?? NO_KEY
    rows.edit(ik, { encryptedKey: flipped(before) })
    clock.advance(HOUR)
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(DecryptionError)
    rows.edit(ik, { encryptedKey: before })
    expect(textOf(await session.decrypt(record))).toBe('secret')
  })

  it('a system key that was wrapped anew is unwrapped by the KMS again, the old copy is wiped', async () => {
    const { cold, session, record, clock, rows, sk, kms } = await cached()
    const blob = rows.get(sk.keyId, sk.created)?.encryptedKey ?? NO_KEY
    const bytes = await kms.decryptKey(blob)
    kms.decrypted.length = 0
    rows.edit(sk, { encryptedKey: await kms.encryptKey(bytes) })
    clock.advance(HOUR)
    // An encrypt re-checks the system key: a decrypt has no reason to.
    await session.encrypt(bytesOf('x'))
    expect(kms.decrypted).toHaveLength(1)
    expect(cold.crypto.made).toBe(3)
    expect(cold.crypto.open).toBe(2)
    expect(textOf(await session.decrypt(record))).toBe('secret')
  })

  it('a row that has vanished: KeyNotFoundError, and the cached key is wiped', async () => {
    const { cold, session, record, clock, rows, ik } = await cached()
    rows.remove(ik)
    clock.advance(HOUR)
    await expect(session.decrypt(record)).rejects.toMatchObject({ code: 'ERR_ASHERAH_KEY_NOT_FOUND', ...ik })
    expect(cold.crypto.open).toBe(1)
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(KeyNotFoundError)
  })

  it('100 decrypts of one stale key cause one read', async () => {
    const { cold, session, record, clock } = await cached()
    clock.advance(HOUR)
    await Promise.all(Array.from({ length: 100 }, () => session.decrypt(record)))
    expect(cold.metastore.count('load')).toBe(1)
  })
})

describe('D-034 two regions on one store', () => {
  async function twoRegions() {
    const east = createWorld({}, { metastore: createFakeMetastore({ regionSuffix: 'east' }) })
    const west = createWorld(
      { sharedIntermediateKeyCache: true },
      { clock: east.clock, kms: east.kms, metastore: createFakeMetastore({ rows: east.rows, regionSuffix: 'west' }) },
      { recoveryRegionSuffixes: ['east'] },
    )
    return { east, west }
  }

  it("D-034 same created: each region's record is read with its own key, and the own key goes on writing", async () => {
    const { east, west } = await twoRegions()
    const fromEast = await east.factory.getSession('p').encrypt(bytesOf('east'))
    const session = west.factory.getSession('p')
    const fromWest = await session.encrypt(bytesOf('west'))
    expect(parentOf(fromEast)).toEqual({ keyId: `${IK}_east`, created: parentOf(fromWest).created })
    for (let round = 0; round < 2; round += 1) {
      expect(textOf(await session.decrypt(fromEast))).toBe('east')
      expect(textOf(await session.decrypt(fromWest))).toBe('west')
      expect(parentOf(await session.encrypt(bytesOf('x'))).keyId).toBe(`${IK}_west`)
    }
  })

  it("D-034 another region's key that was read first is not taken for the latest", async () => {
    const { east, west } = await twoRegions()
    const fromEast = await east.factory.getSession('p').encrypt(bytesOf('east'))
    const session = west.factory.getSession('p')
    expect(textOf(await session.decrypt(fromEast))).toBe('east')
    west.clock.advance(MINUTE)
    const own = parentOf(await session.encrypt(bytesOf('x')))
    expect(own.keyId).toBe(`${IK}_west`)
    expect(west.rows.get(own.keyId, own.created)?.parentKeyMeta?.keyId).toBe(`${SYSTEM_KEY_ID}_west`)
  })
})
