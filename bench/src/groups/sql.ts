import { deepStrictEqual, strictEqual } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { EnvelopeKeyRecord, Metastore } from '@asherah/core/backend'
import { createMysqlMetastore, type MysqlPool } from '@asherah/metastore-mysql'
import { createPostgresMetastore, type PgPool, type PgQuery } from '@asherah/metastore-postgres'
import { startMariaDb, startPostgres } from '@asherah/testing/services'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { createBenchFactory } from '../factory.ts'
import { type Effort, measurePaired, type Side, wallMs } from '../measure.ts'
import type { Group, Row } from '../row.ts'

const CALLERS = [1, 8, 64]
const BATCH = 64
const CREATED = 1_795_251_360
const PLAINTEXT = Buffer.alloc(64, 1)
/** A peer that takes 0.85 of our time. */
const TARGET = 1 / 0.85

/** What the driver is given for one statement; the values of a store are made anew for each row. */
interface Statement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** One server, our metastore on it, and its driver alone, on one connection. */
interface Bed {
  readonly name: string
  readonly driver: string
  readonly metastore: Metastore
  /** The statement that our metastore sends for a call. */
  statementOf(call: (metastore: Metastore) => Promise<unknown>): Promise<Statement>
  run(statement: Statement): Promise<unknown>
  stop(): Promise<void>
}

/** SQL metastores against the bare driver that runs the same statement, and keys of cold partitions, over real servers. */
export const sql: Group = {
  name: 'sql',
  async run({ quick, report }) {
    const effort: Effort = quick ? { rounds: 3, sideMs: 200 } : { rounds: 9, sideMs: 1_000 }
    for (const make of [postgresBed, mysqlBed]) {
      const bed = await make()
      if (bed === undefined) continue
      try {
        for (const row of await measureBed(bed, effort)) report(row)
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
  for (const [id, call] of Object.entries(calls)) {
    const statement = await bed.statementOf(call)
    const sides = [side(() => call(metastore)), side(() => bed.run(statement))] as const
    rows.push({ ...against(bed, id), ...(await measurePaired(...sides, effort, wallMs)) })
  }
  const insert = await bed.statementOf((m) => storeNew(m))
  const [, created, text] = insert.values
  const bare = side(() => bed.run({ text: insert.text, values: [freshKey().keyId, created, text] }))
  const measured = await measurePaired(
    side(() => storeNew(metastore)),
    bare,
    effort,
    wallMs,
  )
  rows.push({ ...against(bed, 'store'), ...measured })

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

function against({ name, driver }: Bed, id: string): Pick<Row, 'id' | 'unit' | 'against' | 'target'> {
  return { id: `${name}/${id}`, unit: 'wall-ns', against: `${driver}, same statement`, target: TARGET }
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

async function postgresBed(): Promise<Bed | undefined> {
  const service = await startPostgres()
  if (!service.available) return missing(service.reason)
  const { url } = service.details
  const client = new pg.Client(url)
  await client.connect()
  await client.query(schemaOf('@asherah/metastore-postgres'))
  const metastore = createPostgresMetastore({ connectionString: url })
  return {
    name: 'postgres',
    driver: 'pg',
    metastore,
    async statementOf(call) {
      let last: PgQuery | undefined
      const query: typeof client.query = client.query.bind(client)
      const pool: PgPool = {
        connect: async () => ({
          release() {},
          query(statement) {
            last = statement
            return query(statement)
          },
        }),
      }
      await call(createPostgresMetastore({ pool }))
      return { text: last?.text ?? '', values: last?.values ?? [] }
    },
    run: ({ text, values }) => client.query(text, [...values]),
    async stop() {
      await metastore.close()
      await client.end()
      await service.stop()
    },
  }
}

async function mysqlBed(): Promise<Bed | undefined> {
  const service = await startMariaDb()
  if (!service.available) return missing(service.reason)
  const { url } = service.details
  const client = await createConnection({ uri: url, charset: 'utf8mb4' })
  await client.query(schemaOf('@asherah/metastore-mysql'))
  const metastore = createMysqlMetastore({ connectionString: url })
  return {
    name: 'mariadb',
    driver: 'mysql2',
    metastore,
    async statementOf(call) {
      let last: Statement = { text: '', values: [] }
      const pool: MysqlPool = {
        getConnection: async () => ({
          release() {},
          destroy() {},
          query: (text) => client.query(text),
          execute(text, values) {
            last = { text, values }
            return client.execute(text, values)
          },
        }),
      }
      await call(createMysqlMetastore({ pool }))
      return last
    },
    run: ({ text, values }) => client.execute(text, values.map(String)),
    async stop() {
      await metastore.close()
      await client.end()
      await service.stop()
    },
  }
}

function missing(reason: string): undefined {
  process.stderr.write(`  SKIPPED: ${reason}\n`)
}

function schemaOf(name: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(`${name}/schema.sql`), 'utf8')
}
