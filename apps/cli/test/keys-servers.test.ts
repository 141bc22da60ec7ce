import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDynamoDbMetastore } from '@asherah/metastore-dynamodb'
import { describeService } from '@asherah/testing'
import { type MssqlServer, startDynalite, startMariaDb, startPostgres, startSqlServer } from '@asherah/testing/services'
import { createConnection } from 'mysql2/promise'
import pg from 'pg'
import { Connection, Request } from 'tedious'
import { expect, test, vi } from 'vitest'
import { type CliResult, runCli } from './run-cli.ts'
import { tempFolder } from './temp-folder.ts'

// The same commands on each database that has a metastore here, through the real command in a process of its own.
vi.setConfig({ testTimeout: 120_000 })

interface Place {
  /** With a password, where there is one. */
  readonly metastore: string
  readonly label: RegExp
  readonly env?: Readonly<Record<string, string>>
}

async function keysCycle({ metastore, label, env = {} }: Place): Promise<void> {
  const cwd = tempFolder()
  writeFileSync(join(cwd, 'master.key'), randomBytes(32), { mode: 0o600 })
  const config = { service: 'crm', product: 'shop', masterKeyFile: 'master.key' }
  writeFileSync(join(cwd, 'asherah.config.json'), JSON.stringify(config))
  const password = /:([^:@/]+)@|Password="([^"]+)"/.exec(metastore)?.slice(1).find(Boolean)
  const run = async (args: readonly string[], input = ''): Promise<CliResult & { readonly text: string }> => {
    const result = await runCli(args, { cwd, input, env: { ...env, ASHERAH_METASTORE: metastore } })
    const text = result.stdout.toString()
    if (password !== undefined)
      for (const form of [`:${password}@`, `"${password}"`, `=${password}`])
        expect(text + result.stderr).not.toContain(form)
    return { ...result, text }
  }
  const states = async (): Promise<string[]> => {
    const { text } = await run(['keys', 'list', '--json'])
    const rows = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
    return rows.map(({ id, state, uses }) => `${id} ${state} ${uses ?? '-'}`)
  }

  const record = await run(['encrypt', '--record', '--partition', 'acme'], 'secret')
  expect(record.code, record.stderr).toBe(0)
  expect(await states()).toEqual(['_IK_acme_crm_shop valid -', '_SK_crm_shop valid 1'])

  const rotated = await run(['keys', 'rotate', '--system', '--all-partitions'])
  expect(rotated.code, rotated.stderr).toBe(0)
  expect(await states()).toEqual([
    '_IK_acme_crm_shop valid -',
    '_IK_acme_crm_shop valid -',
    '_SK_crm_shop valid 1',
    '_SK_crm_shop valid 1',
  ])

  expect(await run(['keys', 'revoke', '--system'])).toMatchObject({ code: 2 })
  expect(await run(['keys', 'revoke', '--partition', 'acme', '--yes'])).toMatchObject({ code: 0, stderr: '' })
  expect((await states()).map((line) => line.split(' ')[1])).toEqual(['valid', 'revoked', 'valid', 'valid'])
  const shown = await run(['keys', 'show', '_IK_acme_crm_shop'])
  expect(shown.text).toMatch(/state {4}valid\n[\s\S]*state {4}revoked\n/)
  expect((await run(['decrypt', '-', '--partition', 'acme'], record.text)).text).toBe('secret')

  const doctor = await run(['doctor', '--key-id', '_SK_crm_shop', '--json'])
  expect(doctor.code, doctor.text).toBe(0)
  const report = JSON.parse(doctor.text)
  expect(report.metastore).toMatchObject({ ok: true, url: expect.stringMatching(label) })
  expect(await states()).toHaveLength(4)
}

describeService('PostgreSQL', await startPostgres(), (server) => {
  test('keys list, show, rotate, revoke and doctor', async () => {
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    await client.query(
      'CREATE TABLE encryption_key (id VARCHAR(255) COLLATE "C" NOT NULL, created TIMESTAMP NOT NULL, key_record TEXT NOT NULL, PRIMARY KEY (id, created))',
    )
    await client.end()
    await keysCycle({ metastore: server.url, label: /^postgres(ql)?:\/\/[\w.]+:\d+\/\w+$/ })
  })
})

describeService('MariaDB', await startMariaDb(), (server) => {
  test('keys list, show, rotate, revoke and doctor', async () => {
    const connection = await createConnection({ uri: server.url })
    await connection.query(
      'CREATE TABLE encryption_key (id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, key_record TEXT NOT NULL, PRIMARY KEY (id, created))',
    )
    await connection.end()
    await keysCycle({ metastore: server.url.replace(/^mysql:/, 'mariadb:'), label: /^mariadb:\/\/[\w.]+:\d+\/\w+$/ })
  })
})

const sqlServer = await startSqlServer()
const what =
  sqlServer.available && sqlServer.details.standIn !== undefined ? 'SQL Server, a TDS stand-in' : 'SQL Server'

describeService(what, sqlServer, (server) => {
  test('keys list, show, rotate, revoke and doctor', async () => {
    await executeTds(
      server,
      'CREATE TABLE dbo.[encryption_key] ([id] NVARCHAR(512) COLLATE Latin1_General_100_BIN2 NOT NULL, [created] DATETIME2(3) NOT NULL, [key_record] NVARCHAR(MAX) NOT NULL, PRIMARY KEY NONCLUSTERED ([id], [created]))',
    )
    const { host, port, user, password, database } = server
    await keysCycle({
      metastore: `Server=${host},${port};Database=${database};User Id=${user};Password="${password.replaceAll('"', '""')}";TrustServerCertificate=true`,
      label: /^sqlserver$/,
    })
  })
})

describeService(
  'dynalite',
  { available: true, origin: 'local', ...(await startDynalite()) },
  ({ url, credentials }) => {
    test('keys list, show, rotate, revoke and doctor', async () => {
      const options = { tableName: 'Keys', region: 'eu-west-1', endpoint: url, credentials }
      const metastore = createDynamoDbMetastore(options)
      await metastore.createTable({ deletionProtection: false })
      await metastore.close()
      await keysCycle({
        metastore: `dynamodb://Keys?region=eu-west-1&endpoint=${encodeURIComponent(url)}`,
        label: /^dynamodb:\/\/Keys$/,
        env: { AWS_ACCESS_KEY_ID: credentials.accessKeyId, AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey },
      })
    })
  },
)

async function executeTds({ host, port, user, password, database }: MssqlServer, text: string): Promise<void> {
  const connection = new Connection({
    server: host,
    authentication: { type: 'default', options: { userName: user, password } },
    options: { port, database, encrypt: true, trustServerCertificate: true },
  })
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve()))
  })
  try {
    await new Promise<void>((resolve, reject) => {
      connection.execSql(new Request(text, (error) => (error ? reject(error) : resolve())))
    })
  } finally {
    connection.close()
  }
}
