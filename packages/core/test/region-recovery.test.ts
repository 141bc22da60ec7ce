import { describe, expect, it } from 'vitest'
import { DecryptionError, KeyNotFoundError, MetastoreError, WrongPartitionError } from '../src/index.ts'
import {
  createFakeMetastore,
  createPeer,
  createWorld,
  DAY,
  flipped,
  IK,
  PLAINTEXT,
  parentOf,
  plantIntermediateKey,
  plantSystemKey,
  SYSTEM_KEY_ID,
  textOf,
  type World,
} from './fakes.ts'
import { encrypt } from './one-partition.ts'
import { recordEachTest } from './recorded-events.ts'

const events = recordEachTest()

type FactoryOptions = Parameters<typeof createWorld>[2]

/** A process of a region on a store; undefined: no suffix. */
function region(world: World, suffix: string | undefined, options: FactoryOptions = {}): World {
  const metastore = createFakeMetastore({ rows: world.rows, ...(suffix !== undefined && { regionSuffix: suffix }) })
  return createWorld({}, { clock: world.clock, kms: world.kms, metastore }, options)
}

const decrypt = (world: World, record: Parameters<ReturnType<World['factory']['getSession']>['decrypt']>[0]) =>
  world.factory.getSession('p').decrypt(record)

/**
 * A record whose intermediate key's row is not where it says: it is under another region's id, as in a store that was
 * copied or renamed.
 */
async function moved(from: string | undefined, to: string | undefined) {
  const world = createWorld()
  const writer = region(world, from)
  const record = await encrypt(writer)
  const named = parentOf(record)
  const row = world.rows.get(named.keyId, named.created)
  if (row === undefined) throw new Error('the writer has stored its key')
  world.rows.remove(named)
  const there = { ...row, keyId: to === undefined ? IK : `${IK}_${to}` }
  world.rows.put(there)
  return { world, rows: world.rows, record, named, there }
}

describe('the look-up', () => {
  it("off without the option: a missing key is missing, and no other region's key is asked for", async () => {
    const { world, record } = await moved('east', undefined)
    const reader = region(world, 'east')
    await expect(decrypt(reader, record)).rejects.toBeInstanceOf(KeyNotFoundError)
    expect(reader.metastore.calls).toHaveLength(1)
  })

  it('on with the option, even as []: the bare id is tried', async () => {
    const { world, record, named } = await moved('east', undefined)
    const reader = region(world, 'east', { recoveryRegionSuffixes: [] })
    expect(textOf(await decrypt(reader, record))).toBe('4111 1111')
    expect(reader.metastore.calls.filter((call) => call.keyId.startsWith('_IK_'))).toMatchObject([
      { method: 'load', keyId: `${IK}_east`, created: named.created },
      { method: 'load', keyId: IK, created: named.created },
    ])
    expect(events.keysThat('recovered')).toEqual([{ event: 'recovered', keyId: IK, created: named.created }])
  })

  it('listed suffixes are tried, in turn', async () => {
    const { world, record } = await moved('east', 'south')
    const reader = region(world, 'east', { recoveryRegionSuffixes: ['north', 'south'] })
    expect(textOf(await decrypt(reader, record))).toBe('4111 1111')
    expect(reader.metastore.calls.filter((call) => call.keyId.startsWith('_IK_')).map((call) => call.keyId)).toEqual([
      `${IK}_east`,
      IK,
      `${IK}_north`,
      `${IK}_south`,
    ])
  })

  it('a suffix that is not listed is not tried', async () => {
    const { world, record } = await moved('east', 'south')
    const reader = region(world, 'east', { recoveryRegionSuffixes: ['north'] })
    await expect(decrypt(reader, record)).rejects.toBeInstanceOf(KeyNotFoundError)
    expect(reader.metastore.count('load', `${IK}_south`)).toBe(0)
  })

  it('D-059 a suffixed process reads records of before the suffix, without any look-up', async () => {
    const world = createWorld()
    const record = await encrypt(world)
    const reader = region(world, 'east')
    expect(textOf(await decrypt(reader, record))).toBe('4111 1111')
    expect(events.keysThat('recovered')).toEqual([])
  })

  it("another region's records need its suffix: without it WrongPartitionError before any I/O", async () => {
    const world = createWorld()
    const record = await encrypt(region(world, 'east'))
    const west = region(world, 'west')
    await expect(decrypt(west, record)).rejects.toBeInstanceOf(WrongPartitionError)
    expect(west.metastore.calls).toEqual([])
    const listed = region(world, 'west', { recoveryRegionSuffixes: ['east'] })
    expect(textOf(await decrypt(listed, record))).toBe('4111 1111')
  })

  it('only the missing row of the intermediate key starts it: a missing system key does not', async () => {
    const world = createWorld()
    const record = await encrypt(region(world, 'east'))
    world.rows.remove({ keyId: `${SYSTEM_KEY_ID}_east`, created: parentOf(record).created })
    const reader = region(world, 'east', { recoveryRegionSuffixes: ['west'] })
    await expect(decrypt(reader, record)).rejects.toMatchObject({ keyId: `${SYSTEM_KEY_ID}_east` })
    expect(reader.metastore.count('load', IK)).toBe(1)
  })

  it('D-009 never by latest: a key of another time is not taken', async () => {
    const { world, record, there } = await moved('east', undefined)
    world.rows.remove(there)
    world.rows.put({ ...there, created: there.created + 1 })
    const reader = region(world, 'east', { recoveryRegionSuffixes: [] })
    await expect(decrypt(reader, record)).rejects.toBeInstanceOf(KeyNotFoundError)
    expect(reader.metastore.count('loadLatest')).toBe(0)
  })

  it('a key that is found must open the record: else the key is missing, as the record says', async () => {
    const { world, record, named, there } = await moved('east', undefined)
    const bytes = await plantSystemKey(world, 7, { keyId: SYSTEM_KEY_ID })
    plantIntermediateKey(world, there.keyId, there.created, { created: 7, bytes })
    const reader = region(world, 'east', { recoveryRegionSuffixes: ['west'] })
    await expect(decrypt(reader, record)).rejects.toMatchObject({ code: 'ERR_ASHERAH_KEY_NOT_FOUND', ...named })
    expect(events.keysThat('recovered')).toEqual([])
  })

  it('candidates that are foreign, damaged or orphaned are passed over, and the next is tried', async () => {
    const { world, rows, record, named, there } = await moved('east', 'd')
    const wrong = await plantSystemKey(world, 7)
    const at = (suffix: string) => ({ keyId: suffix === '' ? IK : `${IK}_${suffix}`, created: named.created })
    plantIntermediateKey(world, at('').keyId, named.created, { created: 7, bytes: wrong }) // another key
    rows.put({ ...there, ...at('a'), encryptedKey: flipped(there.encryptedKey) }) // altered
    rows.put({ ...there, ...at('b') })
    rows.orphan(at('b'))
    rows.put({ ...there, ...at('c'), parentKeyMeta: { keyId: '_SK_other_prod', created: 7 } })
    const reader = region(world, 'east', { recoveryRegionSuffixes: ['a', 'b', 'c', 'd'] })
    expect(textOf(await decrypt(reader, record))).toBe('4111 1111')
    expect(events.keysThat('recovered')).toEqual([{ event: 'recovered', ...at('d') }])
    await reader.factory.close()
    expect(reader.crypto.open).toBe(0)
  })

  it('a metastore that fails during the look-up is a failure, not a missing key', async () => {
    const { world, record } = await moved('east', 'west')
    const reader = region(world, 'east', { recoveryRegionSuffixes: ['west'] })
    reader.metastore.before = (call) => {
      if (call.keyId === `${IK}_west`) throw new Error('down')
    }
    await expect(decrypt(reader, record)).rejects.toBeInstanceOf(MetastoreError)
  })

  it('D-002 partitions stay apart: candidates come from the session, never from the record', async () => {
    const world = createWorld()
    const other = await world.factory.getSession('u_svc_prod_x').encrypt(PLAINTEXT)
    const reader = region(world, undefined, { recoveryRegionSuffixes: ['x'] })
    await expect(reader.factory.getSession('u').decrypt(other)).rejects.toBeInstanceOf(WrongPartitionError)
    expect(reader.metastore.calls).toEqual([])
  })

  it('a record that is altered is not opened by any candidate', async () => {
    const { world, record } = await moved('east', undefined)
    const reader = region(world, 'east', { recoveryRegionSuffixes: [] })
    const altered = { key: record.key, data: flipped(record.data) }
    await expect(decrypt(reader, altered)).rejects.toBeInstanceOf(KeyNotFoundError)
    expect(events.keysThat('recovered')).toEqual([])
  })

  it('reads of it write nothing', async () => {
    const { world, rows, record } = await moved('east', undefined)
    const before = rows.all()
    const reader = region(world, 'east', { recoveryRegionSuffixes: ['west'] })
    for (let i = 0; i < 3; i += 1) await decrypt(reader, record)
    expect(rows.all()).toEqual(before)
    expect(reader.metastore.count('store')).toBe(0)
  })
})

describe('selfHealRecoveredKeys', () => {
  const options: FactoryOptions = { recoveryRegionSuffixes: ['west'], selfHealRecoveredKeys: true }

  it('copies the row to the id that the record names: the next reader finds it there', async () => {
    const { world, rows, record, named, there } = await moved('east', 'west')
    rows.revoke(there)
    const reader = region(world, 'east', options)
    expect(textOf(await decrypt(reader, record))).toBe('4111 1111')
    expect(rows.get(named.keyId, named.created)).toEqual({ ...there, ...named, revoked: true })
    expect(rows.get(there.keyId, there.created)?.encryptedKey).toEqual(there.encryptedKey)
    expect(events.keysThat('healed')).toEqual([{ event: 'healed', ...named }])
    const plain = region(world, 'east')
    expect(textOf(await decrypt(plain, record))).toBe('4111 1111')
  })

  it('inserts only: a row that has come in the meantime stays as it is', async () => {
    const { world, rows, record, named, there } = await moved('east', 'west')
    const reader = region(world, 'east', options)
    const winner = { ...there, ...named, encryptedKey: flipped(there.encryptedKey) }
    reader.metastore.before = (call) => {
      if (call.method === 'store') rows.put(winner)
    }
    expect(textOf(await decrypt(reader, record))).toBe('4111 1111')
    expect(rows.get(named.keyId, named.created)).toEqual(winner)
    expect(events.keysThat('healed')).toEqual([])
  })

  it('a copy that fails is a warning, and the plaintext is returned', async () => {
    const { world, record } = await moved('east', 'west')
    const reader = region(world, 'east', options)
    const cause = new Error('read only')
    reader.metastore.before = (call) => {
      if (call.method === 'store') throw cause
    }
    expect(textOf(await decrypt(reader, record))).toBe('4111 1111')
    expect(events.warning).toMatchObject([{ code: 'SELF_HEAL_FAILED', cause: { cause } }])
    await reader.factory.close()
    expect(reader.crypto.open).toBe(0)
  })

  it('D-009 a tampered created makes no key: nothing of that time is found, so nothing is copied', async () => {
    const world = createWorld()
    const record = await encrypt(region(world, 'east'))
    const before = world.rows.all()
    const reader = region(world, 'west', { recoveryRegionSuffixes: ['east'], selfHealRecoveredKeys: true })
    for (const keyId of [`${IK}_east`, `${IK}_west`, IK]) {
      const parentKeyMeta = { keyId, created: parentOf(record).created + 1_000_000_000 }
      const tampered = { key: { ...record.key, parentKeyMeta }, data: record.data }
      await expect(decrypt(reader, tampered)).rejects.toBeInstanceOf(KeyNotFoundError)
    }
    expect(world.rows.all()).toEqual(before)
    expect(reader.metastore.count('store')).toBe(0)
  })

  it('D-009 rotation goes on after a heal: the copy ages as the original does', async () => {
    const { world, rows, record, named } = await moved('east', 'west')
    const reader = region(world, 'east', options)
    await decrypt(reader, record)
    expect(rows.of(named.keyId).map((row) => row.created)).toEqual([named.created])
    world.clock.advance(91 * DAY)
    const next = parentOf(await encrypt(region(world, 'east', options)))
    expect(next.created).toBeGreaterThan(named.created)
    expect(next.created * 1_000).toBeLessThanOrEqual(world.clock.now())
  })

  it('copies a key only after it has opened the record', async () => {
    const { world, rows, record, there } = await moved('east', 'west')
    const bytes = await plantSystemKey(world, 7)
    plantIntermediateKey(world, there.keyId, there.created, { created: 7, bytes })
    const before = rows.all()
    const reader = region(world, 'east', options)
    await expect(decrypt(reader, record)).rejects.toBeInstanceOf(KeyNotFoundError)
    const altered = { key: record.key, data: flipped(record.data) }
    await expect(decrypt(reader, altered)).rejects.toBeInstanceOf(KeyNotFoundError)
    expect(rows.all()).toEqual(before)
  })

  it('D-106 with uniformErrors a missing key says no more than a failed tag', async () => {
    const { world, record } = await moved('east', 'west')
    const reader = region(world, 'east', { recoveryRegionSuffixes: ['north'], uniformErrors: true })
    const missing = await decrypt(reader, record).catch((error: unknown) => error)
    const altered = await decrypt(createPeerOf(world), { key: record.key, data: flipped(record.data) }).catch(
      (error: unknown) => error,
    )
    expect(missing).toBeInstanceOf(DecryptionError)
    expect(altered).toBeInstanceOf(DecryptionError)
    expect(missing).toMatchObject({ message: altered instanceof Error ? altered.message : '' })
    function createPeerOf(base: World): World {
      return region(base, 'east', { recoveryRegionSuffixes: ['west'], uniformErrors: true })
    }
  })

  it('1,000 reads of one missing key at once: one look-up', async () => {
    const { world, record } = await moved('east', 'west')
    const reader = region(world, 'east', { recoveryRegionSuffixes: ['west'] })
    const session = reader.factory.getSession('p')
    await Promise.all(Array.from({ length: 1_000 }, () => session.decrypt(record)))
    expect(reader.metastore.count('load', `${IK}_west`)).toBe(1)
    expect(createPeer(world).rows.all()).toHaveLength(2)
  })
})
