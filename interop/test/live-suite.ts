import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JsonLinesProcess } from '../src/json-lines-process.ts'
import { PeerError } from '../src/json-lines-process.ts'
import type { Peer } from '../src/peers.ts'
import type { Both, SharedStore } from './both-sides.ts'
import { bothSides, parentOf, product, service } from './both-sides.ts'

/** A running peer and how to share keys with it. */
export interface LivePeer {
  readonly name: string
  readonly createStore: CreateStore
  /** Variables that the peer needs. */
  readonly variables?: Readonly<Record<string, string>>
}

/** Makes a new, empty store that we share with the running peer. */
export type CreateStore = (child: JsonLinesProcess) => Promise<SharedStore>

/** Both sides of a new store; by default of the peer's usual kind. */
export type Setting = (createStore?: CreateStore) => Promise<Both>

const payloads = [
  ['empty', Buffer.alloc(0)],
  ['one byte', Buffer.from([0xb2])],
  ['64 KiB', Buffer.from(Array.from({ length: 65_536 }, (_, i) => (i * 31) & 0xff))],
] as const

const partitions = [
  'shopper-123',
  '🔑🧅 emoji',
  '分区-租户-七',
  ' with some spaces ',
  `it's "quoted" \\ <tagged> & 100%`,
  'line\nbreak\tand\u0001control',
  'ünïcødé',
]

/**
 * Registers the live tests of a peer, and `more`, which are only this peer's.
 *
 * A peer that cannot be had is a loud skip, or with `ASHERAH_TEST_REQUIRE=all` a failure.
 */
export function liveInterop(live: LivePeer, peer: Peer, more: (setting: Setting) => void): void {
  if (!peer.available) {
    const message = `live interop with ${live.name} did not run: ${peer.reason}`
    if (process.env.ASHERAH_TEST_REQUIRE === 'all') {
      test(`live interop with ${live.name}`, () => expect.fail(message))
    } else {
      console.warn(`SKIPPED: ${message}`)
      test.skip(message, () => {})
    }
    return
  }

  describe(`live interop with ${live.name}`, () => {
    let child: JsonLinesProcess
    const stores: SharedStore[] = []
    beforeAll(() => {
      child = peer.start(live.variables)
    })
    afterAll(async () => {
      await child.stop()
      for (const store of stores) await store.close()
    })

    const setting: Setting = async (createStore = live.createStore) => {
      const store = await createStore(child)
      stores.push(store)
      return bothSides(child, store)
    }
    commonTests(setting)
    more(setting)
  })
}

function commonTests(setting: Setting): void {
  test.each(partitions)('D-086 D-094 empty, 1 byte and 64 KiB in both directions, partition %j', async (partition) => {
    const { openPeer, ours, theirs } = await setting()
    await openPeer()
    for (const [size, plaintext] of payloads) {
      const byUs = await ours().encrypt(partition, plaintext)
      expect(await theirs.decrypt(partition, byUs), `ours, ${size}, read by them`).toEqual(plaintext)
      const byThem = await theirs.encrypt(partition, plaintext)
      expect(await ours().decrypt(partition, byThem), `theirs, ${size}, read by us`).toEqual(plaintext)
    }
  })

  test('a partition has one intermediate key, whichever side made it', async () => {
    const { openPeer, ours, theirs } = await setting()
    await openPeer()
    const oursFirst = parentOf(await ours().encrypt('made-by-us', Buffer.from('1')))
    expect(parentOf(await theirs.encrypt('made-by-us', Buffer.from('2')))).toEqual(oursFirst)
    const theirsFirst = parentOf(await theirs.encrypt('made-by-them', Buffer.from('3')))
    expect(parentOf(await ours().encrypt('made-by-them', Buffer.from('4')))).toEqual(theirsFirst)
  })

  test('D-012 D-024 rotation: each side leaves the other’s expired key, adopts its new one, and reads all', async () => {
    const { openPeer, ours, theirs } = await setting()
    const records: string[] = []
    const shortPolicy = { expireAfterMs: 2_000 }

    // Ten seconds old for the peer, whose keys live for two.
    records.push(await ours({ ...shortPolicy, shiftMs: -10_000 }).encrypt('p', Buffer.from('0')))
    await openPeer({ expireAfterSeconds: 2 })
    records.push(await theirs.encrypt('p', Buffer.from('1')))
    const [first, second] = records.map(parentOf)
    expect(second?.Created).toBeGreaterThan(first?.Created ?? Number.NaN)

    expect(parentOf(await ours().encrypt('p', Buffer.from('adopts')))).toEqual(second)
    records.push(await ours({ ...shortPolicy, shiftMs: 10_000 }).encrypt('p', Buffer.from('2')))
    expect(parentOf(records[2] ?? '').Created).toBeGreaterThan(second?.Created ?? Number.NaN)

    await expectBothRead({ openPeer, ours, theirs }, 'p', records)
  })

  test('revocation: each side leaves the key that was revoked, and both still read under it', async () => {
    const { store, openPeer, ours, theirs } = await setting()
    const records: string[] = []
    // Minutes apart: `created` is truncated to the minute, and a new key in the same minute would meet the revoked row.
    records.push(await ours({ shiftMs: -300_000 }).encrypt('p', Buffer.from('0')))
    await revoke(store, records[0])

    await openPeer()
    records.push(await theirs.encrypt('p', Buffer.from('1')))
    const [first, second] = records.map(parentOf)
    expect(second?.Created).toBeGreaterThan(first?.Created ?? Number.NaN)
    expect(parentOf(await ours().encrypt('p', Buffer.from('adopts')))).toEqual(second)

    await revoke(store, records[1])
    records.push(await ours({ shiftMs: 300_000 }).encrypt('p', Buffer.from('2')))
    expect(parentOf(records[2] ?? '').Created).toBeGreaterThan(second?.Created ?? Number.NaN)

    await expectBothRead({ openPeer, ours, theirs }, 'p', records)
  })

  test('D-014 a revoked system key: we write under a new one, and both read under either', async () => {
    const { store, openPeer, ours, theirs } = await setting()
    const records = [await ours({ shiftMs: -300_000 }).encrypt('p', Buffer.from('0'))]
    const { regionSuffix } = store.metastore
    const systemKeyId = `_SK_${service}_${product}${regionSuffix === undefined ? '' : `_${regionSuffix}`}`
    const systemKey = (await store.metastore.loadLatest(systemKeyId))?.created
    expect(await store.metastore.markRevoked?.(systemKeyId, systemKey ?? Number.NaN)).toBe(true)
    records.push(await ours().encrypt('p', Buffer.from('1')))
    const [first, second] = records.map(parentOf)
    expect(second?.Created).toBeGreaterThan(first?.Created ?? Number.NaN)
    await openPeer()
    records.push(await theirs.encrypt('p', Buffer.from('2')))
    await expectBothRead({ openPeer, ours, theirs }, 'p', records)
  })

  test('neither side opens a record in another partition', async () => {
    const { openPeer, ours, theirs } = await setting()
    await openPeer()
    const byUs = await ours().encrypt('p', Buffer.from('0'))
    const byThem = await theirs.encrypt('p', Buffer.from('1'))
    await expect(theirs.decrypt('q', byUs)).rejects.toBeInstanceOf(PeerError)
    await expect(ours().decrypt('q', byThem)).rejects.toMatchObject({ code: 'ERR_ASHERAH_WRONG_PARTITION' })
  })
}

/** Record `i` holds the text of `i`. */
async function expectBothRead(
  { openPeer, ours, theirs }: Pick<Both, 'openPeer' | 'ours' | 'theirs'>,
  partition: string,
  records: readonly string[],
): Promise<void> {
  await openPeer()
  for (const [i, record] of records.entries()) {
    expect((await ours().decrypt(partition, record)).toString(), `record ${i}, by us`).toBe(String(i))
    expect((await theirs.decrypt(partition, record)).toString(), `record ${i}, by them`).toBe(String(i))
  }
}

async function revoke(store: SharedStore, record: string | undefined): Promise<void> {
  const { KeyId, Created } = parentOf(record ?? '')
  expect(await store.metastore.markRevoked?.(KeyId, Created)).toBe(true)
}
