import { deepStrictEqual, strictEqual } from 'node:assert'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { EnvelopeKeyRecord, Metastore } from '@asherah/core/backend'
import { createMssqlMetastore, type MssqlPool } from '@asherah/metastore-mssql'
import { createMysqlMetastore, type MysqlPool } from '@asherah/metastore-mysql'
import { createPostgresMetastore, type PgClient, type PgPool, type PgQuery } from '@asherah/metastore-postgres'
import { startMariaDb, startPostgres, startSqlServer } from '@asherah/testing/services'
import { createPool } from 'mysql2/promise'
import pg from 'pg'
import { Connection, Request, TYPES } from 'tedious'
import { createBenchFactory } from '../factory.ts'
import { type Effort, measurePaired, type Side, wallMs } from '../measure.ts'
import type { Group, Row } from '../row.ts'

const CALLERS = [1, 8, 64]
/** Side by side, each on a connection of its own: both pools have ten. */
const DRIVER_CALLERS = [1, 8]
const BATCH = 64
const CREATED = 1_795_251_360
const PLAINTEXT = Buffer.alloc(64, 1)
/** A peer that takes 0.85 of our time. */
const TARGET = 1.18

/** What the driver is given for one statement; the values of a store are made anew for each row. */
interface Statement {
  /** Where it is prepared under a name. */
  readonly name?: string | undefined
  readonly text: string
  readonly values: readonly (string | number | Buffer)[]
  /** Of the values, where the driver wants names. */
  readonly names?: readonly string[]
}

/** One server, our metastore on it, and its driver's own pool. */
interface Bed {
  readonly name: string
  readonly driver: string
  /** Its server is ours, in this process, and slow: the rows show what the clients cost, and nothing about the database. */
  readonly isStandIn: boolean
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
    // Many short rounds: a server on the same machine disturbs some of them.
    const effort: Effort = quick ? { rounds: 9, sideMs: 80 } : { rounds: 31, sideMs: 300 }
    for (const make of [postgresBed, mysqlBed, mssqlBed]) {
      const bed = await make()
      if (bed === undefined) continue
      try {
        const rounds = bed.isStandIn ? Math.ceil(effort.rounds / 4) : effort.rounds
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

async function postgresBed(): Promise<Bed | undefined> {
  const service = await startPostgres()
  if (!service.available) return missing(service.reason)
  const { url } = service.details
  const own = new pg.Pool({ connectionString: url })
  // The server may end first.
  own.on('error', () => {})
  await own.query(schemaOf('@asherah/metastore-postgres'))
  const metastore = createPostgresMetastore({ connectionString: url })
  return {
    name: 'postgres',
    driver: 'pg',
    isStandIn: false,
    metastore,
    async statementOf(call) {
      let last: PgQuery | undefined
      const pool: PgPool = {
        async connect() {
          const client = await own.connect()
          const query: PgClient['query'] = (statement) => {
            last = statement
            return client.query(statement)
          }
          return { query, release: () => client.release() }
        },
      }
      await call(createPostgresMetastore({ pool }))
      return { name: last?.name, text: last?.text ?? '', values: last?.values ?? [] }
    },
    run: ({ name, text, values }) => own.query({ ...(name !== undefined && { name }), text, values: [...values] }),
    async stop() {
      await metastore.close()
      await own.end()
      await service.stop()
    },
  }
}

async function mysqlBed(): Promise<Bed | undefined> {
  const service = await startMariaDb()
  if (!service.available) return missing(service.reason)
  const { url } = service.details
  const own = createPool({ uri: url, charset: 'utf8mb4' })
  await own.query(schemaOf('@asherah/metastore-mysql'))
  const metastore = createMysqlMetastore({ connectionString: url })
  return {
    name: 'mariadb',
    driver: 'mysql2',
    isStandIn: false,
    metastore,
    async statementOf(call) {
      let last: Statement = { text: '', values: [] }
      const pool: MysqlPool = {
        getConnection: async () => ({
          release() {},
          destroy() {},
          query: (text) => own.query(text),
          execute(text, values) {
            last = { text, values }
            return own.execute(text, values)
          },
        }),
      }
      await call(createMysqlMetastore({ pool }))
      return last
    },
    run: ({ text, values }) => own.execute(text, [...values]),
    async stop() {
      await metastore.close()
      await own.end()
      await service.stop()
    },
  }
}

async function mssqlBed(): Promise<Bed | undefined> {
  const service = await startSqlServer()
  if (!service.available) return missing(service.reason)
  const { host, port, user, password, database, ca, standIn } = service.details
  const tls = ca === undefined ? { allowUnverifiedCertificate: true } : { ca }
  const metastore = createMssqlMetastore({ config: { host, port, user, password, database }, tls })
  const open = (): Promise<Connection> =>
    new Promise((resolve, reject) => {
      const connection = new Connection({
        server: host,
        authentication: { type: 'default', options: { userName: user, password } },
        options: { port, database, encrypt: true, trustServerCertificate: true },
      })
      connection.connect((error) => (error ? reject(error) : resolve(connection)))
    })
  const all = await Promise.all(Array.from({ length: Math.max(...DRIVER_CALLERS) }, open))
  // As many callers as connections: none has to wait.
  const free = [...all]
  const run = async ({ text, values, names = [] }: Statement): Promise<object[]> => {
    const connection = free.pop() ?? (await open())
    try {
      return await execute(connection, text, names, values)
    } finally {
      free.push(connection)
    }
  }
  await run({ text: schemaOf('@asherah/metastore-mssql'), values: [] })
  return {
    name: standIn === undefined ? 'sqlserver' : 'sqlserver-stand-in',
    driver: 'tedious',
    isStandIn: standIn !== undefined,
    metastore,
    async statementOf(call) {
      let last: Statement = { text: '', values: [] }
      const pool: MssqlPool = {
        request() {
          const parameters = new Map<string, string | number>()
          return {
            input: (name, value) => parameters.set(name, typeof value === 'number' ? value : String(value)),
            async query(text) {
              last = { text, values: [...parameters.values()], names: [...parameters.keys()] }
              return { recordset: await run(last), rowsAffected: [1] }
            },
            cancel() {},
          }
        },
      }
      await call(createMssqlMetastore({ pool }))
      return last
    },
    run,
    async stop() {
      await metastore.close()
      for (const connection of all) connection.close()
      await service.stop()
    },
  }
}

function execute(
  connection: Connection,
  text: string,
  names: readonly string[],
  values: Statement['values'],
): Promise<object[]> {
  return new Promise((resolve, reject) => {
    const rows: object[] = []
    const request = new Request(text, (error) => (error ? reject(error) : resolve(rows)))
    for (const [i, name] of names.entries()) {
      const value = values[i]
      request.addParameter(name, typeof value === 'number' ? TYPES.BigInt : TYPES.NVarChar, value)
    }
    request.on('row', (columns: unknown) => rows.push(rowOf(columns)))
    connection.execSql(request)
  })
}

/** tedious types its columns as `any`. */
function rowOf(columns: unknown): object {
  if (!Array.isArray(columns)) return {}
  return Object.fromEntries(columns.map(({ metadata, value }) => [String(metadata.colName), value]))
}

function missing(reason: string): undefined {
  process.stderr.write(`  SKIPPED: ${reason}\n`)
}

function schemaOf(name: string): string {
  return readFileSync(createRequire(import.meta.url).resolve(`${name}/schema.sql`), 'utf8')
}
