import { describe, expect, it } from 'vitest'
import { type DataRowRecord, type KeyMeta, KeyNotFoundError } from '../src/index.ts'
import {
  createPeer,
  createWorld,
  HOUR,
  IK,
  MINUTE,
  PLAINTEXT,
  parentOf,
  SYSTEM_KEY_ID,
  textOf,
  type World,
} from './fakes.ts'

/** A key in the cache, as far as the process knows, or in the metastore. Retired: revoked. */
type State = 'valid' | 'retired' | 'absent'

interface Cell {
  readonly cachedSk: State
  readonly cachedIk: State
  readonly storedSk: State
  readonly storedIk: State
}

const STATES: readonly State[] = ['valid', 'retired', 'absent']
const CELLS: readonly (readonly [name: string, cell: Cell])[] = STATES.flatMap((cachedSk) =>
  STATES.flatMap((cachedIk) =>
    STATES.flatMap((storedSk) =>
      STATES.map((storedIk): readonly [string, Cell] => [
        `cache: SK ${cachedSk}, IK ${cachedIk}; metastore: SK ${storedSk}, IK ${storedIk}`,
        { cachedSk, cachedIk, storedSk, storedIk },
      ]),
    ),
  ),
)

/** Room for one system key: reading under an older one pushes the one of the cell out. */
const POLICY = { sharedIntermediateKeyCache: true, systemKeyCacheMaxSize: 1, revokeCheckIntervalMs: HOUR }

/** A process with fresh caches in the cell's states, over a store in the cell's states. */
async function prepare(cell: Cell) {
  const writer = createWorld(POLICY)
  const { rows, clock } = writer
  const underOldKey = await write(writer, 'filler')
  const oldSystemKey = only(writer, SYSTEM_KEY_ID)
  rows.revoke(oldSystemKey)
  clock.advance(HOUR + MINUTE)
  const record = await write(writer, 'p')
  const elsewhere = await write(writer, 'other')
  const sk = rows.of(SYSTEM_KEY_ID).at(-1)
  const ik = only(writer, IK)
  if (sk === undefined || sk.created === oldSystemKey.created) throw new Error('no system key of its own')

  const world = createPeer(writer, POLICY)
  if (cell.cachedSk === 'retired') rows.revoke(sk)
  if (cell.cachedIk === 'retired') rows.revoke(ik)
  await fillCaches(world, cell, { record, elsewhere, underOldKey })
  setRow(world, { ...sk, revoked: false }, cell.storedSk)
  setRow(world, { ...ik, revoked: false }, cell.storedIk)
  clock.advance(MINUTE) // the caches stay fresh, and a new key has a time of its own
  world.metastore.forget()
  return { world, record, sk, ik, rowsBefore: rows.all().length }
}

async function fillCaches(
  world: World,
  { cachedSk, cachedIk }: Cell,
  records: { readonly record: DataRowRecord; readonly elsewhere: DataRowRecord; readonly underOldKey: DataRowRecord },
): Promise<void> {
  const isUsable = cachedIk === 'valid' && cachedSk !== 'retired'
  if (isUsable) await write(world, 'p')
  else if (cachedIk !== 'absent') await read(world, 'p', records.record)
  if (cachedSk === 'valid') await write(world, 'made here') // so that it is known to be the latest one
  if (cachedSk === 'retired') await read(world, 'other', records.elsewhere)
  if (cachedSk === 'absent' && cachedIk !== 'absent') await read(world, 'filler', records.underOldKey)
}

function setRow(world: World, row: Parameters<World['rows']['put']>[0], state: State): void {
  world.rows.put({ ...row, revoked: state === 'retired' })
  if (state === 'absent') world.rows.remove(row)
}

const write = (world: World, id: string): Promise<DataRowRecord> => world.factory.getSession(id).encrypt(PLAINTEXT)
const read = (world: World, id: string, record: DataRowRecord): Promise<Uint8Array> =>
  world.factory.getSession(id).decrypt(record)
const metaOf = ({ keyId, created }: KeyMeta): KeyMeta => ({ keyId, created })
function only(world: World, keyId: string) {
  const [row, ...more] = world.rows.of(keyId)
  if (row === undefined || more.length > 0) throw new Error(`the test expects one row ${keyId}`)
  return row
}

/** What encrypt must do, from the spec's steps 1 to 3. */
function expectedOf({ cachedSk, cachedIk, storedSk, storedIk }: Cell) {
  const usesCached = cachedIk === 'valid' && cachedSk !== 'retired'
  // A revoked entry is final, whatever its row says later; a fresh valid one is believed until its interval ends.
  const skMayWrite = cachedSk === 'valid' || (cachedSk === 'absent' && storedSk === 'valid')
  const usesStored = !usesCached && cachedIk !== 'retired' && storedIk === 'valid' && skMayWrite
  const makesIk = !usesCached && !usesStored
  return { usesCached, makesIk, makesSk: makesIk && !skMayWrite }
}

describe('the 81 states of cache and metastore', () => {
  it('are 81', () => expect(new Set(CELLS.map(([name]) => name)).size).toBe(81))

  it.each(CELLS)('encrypt writes with a valid key, and makes no more keys than it must: %s', async (_, cell) => {
    const { world, sk, ik, rowsBefore } = await prepare(cell)
    const { usesCached, makesIk, makesSk } = expectedOf(cell)
    const record = await write(world, 'p')
    const used = parentOf(record)
    expect(used.keyId).toBe(IK)
    if (usesCached) expect(world.metastore.calls).toEqual([])
    if (!makesIk) expect(used).toEqual(metaOf(ik))
    expect(world.rows.all().length - rowsBefore).toBe((makesIk ? 1 : 0) + (makesSk ? 1 : 0))
    if (makesIk) {
      const row = world.rows.get(used.keyId, used.created)
      expect(row?.revoked).toBe(false)
      if (cell.storedIk !== 'absent') expect(used.created).toBeGreaterThan(ik.created)
      if (makesSk) expect(row?.parentKeyMeta).not.toEqual(metaOf(sk))
      else expect(row?.parentKeyMeta).toEqual(metaOf(sk))
    }
    // Who has nothing cached reads it, if the rows are there at all.
    const parent = world.rows.get(used.keyId, used.created)?.parentKeyMeta
    if (parent === undefined || world.rows.get(parent.keyId, parent.created) === undefined) return
    expect(textOf(await read(createPeer(world, POLICY), 'p', record))).toBe('4111 1111')
  })

  it.each(CELLS)('decrypt reads with a key in any state, if it is anywhere, and makes none: %s', async (_, cell) => {
    const { world, record, rowsBefore } = await prepare(cell)
    const isThere =
      cell.cachedIk !== 'absent' ||
      (cell.storedIk !== 'absent' && (cell.cachedSk !== 'absent' || cell.storedSk !== 'absent'))
    const reading = read(world, 'p', record)
    if (isThere) expect(textOf(await reading)).toBe('4111 1111')
    else await expect(reading).rejects.toBeInstanceOf(KeyNotFoundError)
    expect(world.rows.all()).toHaveLength(rowsBefore)
  })
})
