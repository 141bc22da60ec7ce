import { createMssqlMetastore, type MssqlPool } from '@asherah/metastore-mssql'
import { startSqlServer } from '@asherah/testing/services'
import { Connection, Request, TYPES } from 'tedious'
import { type Bed, missing, type Statement, schemaOf } from './bed.ts'

/** @param callers As many connections of the bare driver. */
export async function mssqlBed(callers: number): Promise<Bed | undefined> {
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
  const all = await Promise.all(Array.from({ length: callers }, open))
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
    // The stand-in is in this process, and slow: its rows show what the clients cost, and nothing about the database.
    isNoisy: standIn === undefined,
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
