import assert from 'node:assert/strict'
import type { Check } from '../check.ts'
import {
  assertMissing,
  assertRow,
  assertStored,
  CREATED,
  freshIntermediateKeyId,
  freshSystemKeyId,
  intermediateKey,
  type MetastoreSubject,
  storeNew,
  systemKey,
} from './subject.ts'

/** Times at which stores go wrong: powers of two, lengths of digits, and hours that a local clock skips or repeats. */
const SPECIAL_TIMES: readonly number[] = [
  1,
  86_399,
  999_999_999, // 9 digits, and then 10: text order would put it last
  1_000_000_000,
  1_741_487_400, // 2025-03-09 02:30:00: the hour that New York's clocks skip (D-048)
  1_762_046_999, // 2025-11-02 01:29:59: the hour that they repeat
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 + 5,
  253_402_300_799, // the last second of the year 9999
]

/** `created` is whole seconds, exact, and orders an id's rows. */
export const timeChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'each created of an id is a row of its own, to the second',
    async run({ metastore }) {
      const keyId = freshIntermediateKeyId()
      const rows = [0, 1, 2, 59, 60, 3_600].map((offset) => intermediateKey(keyId, CREATED + offset))
      for (const row of rows) await storeNew(metastore, row)
      for (const row of rows) await assertStored(metastore, row, `created ${row.created}`)
    },
  },
  {
    name: 'every created is kept, up to the greatest that the store holds (D-048)',
    async run({ metastore, maxCreated }) {
      const keyId = freshIntermediateKeyId()
      const times = new Set([...SPECIAL_TIMES.filter((time) => time <= maxCreated), maxCreated])
      for (const created of times) {
        const row = intermediateKey(keyId, created)
        await storeNew(metastore, row)
        await assertStored(metastore, row, `created ${created}`)
        assertRow(await metastore.loadLatest(keyId, { notAfter: created }), row, `loadLatest not after ${created}`)
      }
    },
  },
  {
    name: 'a created beyond the greatest is refused or kept exactly: never changed, never lost',
    async run({ metastore, maxCreated }) {
      const row = systemKey(freshSystemKeyId(), maxCreated + 1)
      const stored = await metastore.store(row.keyId, row.created, row).catch(() => 'refused')
      if (stored === true) await assertStored(metastore, row, 'beyond the greatest')
      else {
        assert.equal(stored, 'refused', 'a store that did not happen must throw')
        assertMissing(await metastore.loadLatest(row.keyId), 'loadLatest after the refused store')
      }
    },
  },
  {
    name: 'loadLatest gives the greatest created, whatever the order of the stores',
    async run({ metastore }) {
      const keyId = freshIntermediateKeyId()
      const rows = [3, 1, 4, 0, 5, 2].map((offset) => intermediateKey(keyId, CREATED + offset))
      let latest = rows[0]
      for (const row of rows) {
        await storeNew(metastore, row)
        if (latest === undefined || row.created > latest.created) latest = row
        assertRow(await metastore.loadLatest(keyId), latest, `after created ${row.created}`)
      }
    },
  },
  {
    name: 'loadLatest orders by number, not by digits',
    async run({ metastore }) {
      const keyId = freshIntermediateKeyId()
      const nine = intermediateKey(keyId, 999_999_999)
      const ten = intermediateKey(keyId, 1_000_000_000)
      await storeNew(metastore, ten)
      await storeNew(metastore, nine)
      assertRow(await metastore.loadLatest(keyId), ten, 'ten digits are more than nine')
      assertRow(await metastore.loadLatest(keyId, { notAfter: 999_999_999 }), nine, 'not after the nine digits')
    },
  },
  {
    name: 'notAfter is inclusive, and null is the answer when every row is later',
    async run({ metastore }) {
      const keyId = freshIntermediateKeyId()
      const early = intermediateKey(keyId, CREATED)
      const late = intermediateKey(keyId, CREATED + 120)
      await storeNew(metastore, late)
      await storeNew(metastore, early)
      const latest = (notAfter: number): Promise<unknown> => metastore.loadLatest(keyId, { notAfter })
      assertRow(await latest(CREATED + 121), late, 'a second after the later row')
      assertRow(await latest(CREATED + 120), late, 'the second of the later row')
      assertRow(await latest(CREATED + 119), early, 'a second before the later row')
      assertRow(await latest(CREATED), early, 'the second of the earlier row')
      assertMissing(await latest(CREATED - 1), 'a second before the earlier row')
      assertRow(await metastore.load(keyId, CREATED + 120), late, 'load knows no notAfter')
    },
  },
  {
    name: "loadLatest does not look at another id's rows",
    async run({ metastore }) {
      const keyId = freshIntermediateKeyId()
      const row = intermediateKey(keyId)
      await storeNew(metastore, row)
      for (const near of [`${keyId}x`, `x${keyId}`, `${keyId}_eu`, `${keyId}%`, keyId.replace('_IK_', '_IK%')]) {
        await storeNew(metastore, intermediateKey(near, CREATED + 600))
      }
      assertRow(await metastore.loadLatest(keyId), row, 'with later rows of similar ids')
      assertMissing(await metastore.loadLatest(keyId.slice(0, -1)), 'a prefix of the id')
    },
  },
]
