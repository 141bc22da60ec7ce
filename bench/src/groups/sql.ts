import { deepStrictEqual, strictEqual } from 'node:assert'
import { randomBytes } from 'node:crypto'
import type { EnvelopeKeyRecord, Metastore } from '@asherah/core/backend'
import { createBenchFactory } from '../factory.ts'
import { type Effort, measurePaired, type Side, wallMs } from '../measure.ts'
import type { Group, Row } from '../row.ts'
import type { Bed } from '../sql/bed.ts'
import { mssqlBed } from '../sql/mssql-bed.ts'
import { mysqlBed } from '../sql/mysql-bed.ts'
import { postgresBed } from '../sql/postgres-bed.ts'

const CALLERS = [1, 8, 64]
/** Side by side, each on a connection of its own: both pools have ten. */
const DRIVER_CALLERS = [1, 8]
const BATCH = 64
const CREATED = 1_795_251_360
const PLAINTEXT = Buffer.alloc(64, 1)
/** A peer that takes 0.85 of our time. */
const TARGET = 1.18

/** On this machine, the time of a call is that of waking the server; a network away, it is the network's. */
const BEDS: readonly (() => Promise<Bed | undefined>)[] = [
  () => postgresBed(false),
  () => mysqlBed(false),
  () => postgresBed(true),
  () => mysqlBed(true),
  () => mssqlBed(Math.max(...DRIVER_CALLERS)),
]

/** SQL metastores against the bare driver that runs the same statement, and keys of cold partitions, over real servers. */
export const sql: Group = {
  name: 'sql',
  async run({ quick, report }) {
    // Many short rounds: a server on the same machine disturbs some of them.
    const effort: Effort = quick ? { rounds: 9, sideMs: 80 } : { rounds: 31, sideMs: 300 }
    for (const make of BEDS) {
      const bed = await make()
      if (bed === undefined) continue
      try {
        const rounds = bed.isNoisy ? effort.rounds : Math.ceil(effort.rounds / 4)
        for (const row of await measureBed(bed, { ...effort, rounds })) report(row)
      } finally {
        await bed.stop()
      }
    }
  },
}

async function measureBed(bed: Bed, effort: Effort): Promise<Row[]> {
  const { name, metastore } = bed
  const rows: Row[] = []
  const stored = freshKey()
  strictEqual(await metastore.store(stored.keyId, stored.created, stored), true)
  deepStrictEqual(await metastore.load(stored.keyId, CREATED), stored)

  const calls: Readonly<Record<string, (m: Metastore) => Promise<unknown>>> = {
    load: (m) => m.load(stored.keyId, CREATED),
    loadLatest: (m) => m.loadLatest(stored.keyId),
  }
  const insert = await bed.statementOf(storeNew)
  const [, created = '', text = ''] = insert.values
  for (const callers of DRIVER_CALLERS) {
    const compare = async (id: string, ours: () => Promise<unknown>, bare: () => Promise<unknown>): Promise<void> => {
      const measured = await measurePaired(side(ours, callers), side(bare, callers), effort, wallMs)
      const against = `${bed.driver}, same statement`
      rows.push({ id: `${name}/${id}/${callers}`, unit: 'wall-ns', against, target: TARGET, ...measured })
    }
    for (const [id, call] of Object.entries(calls)) {
      const statement = await bed.statementOf(call)
      await compare(
        id,
        () => call(metastore),
        () => bed.run(statement),
      )
    }
    await compare(
      'store',
      () => storeNew(metastore),
      () => bed.run({ ...insert, values: [freshKey().keyId, created, text] }),
    )
  }

  let next = 0
  for (const callers of CALLERS) {
    const factory = createBenchFactory({ metastore })
    const encrypt = async (): Promise<void> => {
      const session = factory.getSession(`cold-${callers}-${next++}`)
      await session.encryptToJson(PLAINTEXT)
      session.close()
    }
    const cold = await measurePaired(side(encrypt, callers), null, effort, wallMs)
    rows.push({ id: `${name}/cold-partition/${callers}`, unit: 'wall-ns', against: null, target: null, ...cold })
    await factory.close()
  }
  return rows
}

/** An operation is one call; `callers` make them side by side. */
function side(call: () => Promise<unknown>, callers = 1): Side {
  const caller = async (): Promise<void> => {
    for (let i = 0; i < BATCH / callers; i++) await call()
  }
  return { batch: BATCH, run: async () => void (await Promise.all(Array.from({ length: callers }, caller))) }
}

let keys = 0

function freshKey(): EnvelopeKeyRecord {
  const keyId = `_IK_${process.pid}_${keys++}_service_product`
  const parentKeyMeta = { keyId: '_SK_service_product', created: CREATED }
  return { keyId, created: CREATED, encryptedKey: new Uint8Array(randomBytes(60)), revoked: false, parentKeyMeta }
}

async function storeNew(metastore: Metastore): Promise<void> {
  const key = freshKey()
  strictEqual(await metastore.store(key.keyId, key.created, key), true)
}
