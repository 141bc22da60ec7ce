import assert from 'node:assert/strict'
import type { EnvelopeKeyRecord, Metastore } from '@asherah/core/backend'
import type { Check } from '../check.ts'
import {
  assertRow,
  assertStored,
  CREATED,
  freshIntermediateKeyId,
  intermediateKey,
  type MetastoreSubject,
  storeNew,
} from './subject.ts'

const RACERS = 50

/** Many callers at once. */
export const raceChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'of 50 racing stores of one row exactly one gives true, and its record stays (D-016)',
    async run({ metastore }) {
      await race([metastore])
    },
  },
  {
    name: 'racing stores of different rows all give true',
    async run({ metastore }) {
      const keyId = freshIntermediateKeyId()
      const rows = Array.from({ length: RACERS }, (_, i) => intermediateKey(keyId, CREATED + i))
      await Promise.all(rows.map((row) => storeNew(metastore, row)))
      for (const row of rows) await assertStored(metastore, row, `created ${row.created}`)
      const last = rows.at(-1)
      if (last !== undefined) assertRow(await metastore.loadLatest(keyId), last, 'loadLatest after the race')
    },
  },
  {
    name: 'a reader beside racing stores sees a whole row or none',
    async run({ metastore }) {
      const rows = racers()
      const [first] = rows
      assert.ok(first !== undefined)
      const reads: Promise<EnvelopeKeyRecord | null>[] = []
      const stores = rows.map((row) => {
        reads.push(metastore.load(row.keyId, row.created))
        return metastore.store(row.keyId, row.created, row)
      })
      await Promise.all(stores)
      const winner = await metastore.load(first.keyId, first.created)
      assert.ok(winner !== null, 'one of the stores won')
      for (const read of await Promise.all(reads)) if (read !== null) assertRow(read, winner, 'a read during the race')
    },
  },
]

/** The same, of a second metastore over the same rows. */
export const reopenChecks: readonly Check<MetastoreSubject>[] = [
  {
    name: 'a second metastore over the same rows reads what the first one stored',
    async run(subject) {
      const second = await reopened(subject)
      const row = intermediateKey(freshIntermediateKeyId())
      await storeNew(subject.metastore, row)
      await assertStored(second, row, 'in the second metastore')
      assertRow(await second.loadLatest(row.keyId), row, 'loadLatest in the second metastore')
      assert.equal(await second.store(row.keyId, row.created, row), false, 'store in the second metastore')
    },
  },
  {
    name: 'of 50 stores racing through two metastores exactly one gives true (D-016, D-070)',
    async run(subject) {
      await race([subject.metastore, await reopened(subject)])
    },
  },
]

async function reopened(subject: MetastoreSubject): Promise<Metastore> {
  assert.ok(subject.reopen !== undefined)
  return subject.reopen()
}

function racers(): EnvelopeKeyRecord[] {
  const keyId = freshIntermediateKeyId()
  return Array.from({ length: RACERS }, () => intermediateKey(keyId))
}

async function race(metastores: readonly Metastore[]): Promise<void> {
  const rows = racers()
  const results = await Promise.all(
    rows.map(async (row, i) => {
      const metastore = metastores[i % metastores.length]
      assert.ok(metastore !== undefined)
      return { row, stored: await metastore.store(row.keyId, row.created, row) }
    }),
  )
  const winners = results.filter(({ stored }) => stored === true)
  assert.equal(winners.length, 1, 'stores that gave true')
  assert.equal(results.filter(({ stored }) => stored === false).length, RACERS - 1, 'stores that gave false')
  for (const metastore of metastores) {
    for (const { row } of winners) await assertStored(metastore, row, 'the winner')
  }
}
