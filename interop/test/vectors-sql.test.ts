import { SessionFactory } from '@asherah/core'
import { createInsecureTestKms } from '@asherah/kms-static'
import { describeService } from '@asherah/testing'
import { startMariaDb, startPostgres } from '@asherah/testing/services'
import { expect, test } from 'vitest'
import { mysqlDatabase, postgresDatabase, type SqlDatabase } from '../src/sql-tables.ts'
import { vectorsOf } from '../src/vectors.ts'

/** Loads the rows of a file into a table, and reads every case of the file over it; the rows stay as they were. */
async function readsEveryCase(file: string, database: SqlDatabase): Promise<void> {
  const vectors = await vectorsOf(file, 'asherah-test-vectors/1')
  await database.insert(vectors.rows)
  const rowsAsText = (): Promise<readonly unknown[]> => database.select('SELECT * FROM encryption_key ORDER BY 1, 2')
  const before = await rowsAsText()
  expect(before).toHaveLength(vectors.rows.length)

  const metastore = database.createMetastore()
  const newest = Math.max(...vectors.rows.map((row) => row.created))
  const factory = new SessionFactory({
    service: vectors.serviceId,
    product: vectors.productId,
    metastore,
    kms: createInsecureTestKms(),
    clock: { now: () => (newest + 60) * 1_000, monotonicMs: () => performance.now() },
  })
  try {
    expect(vectors.cases.length).toBeGreaterThan(10)
    for (const { name, partitionId, plaintextBase64, drr } of vectors.cases) {
      const session = factory.getSession(partitionId)
      for (const input of [drr, Buffer.from(drr), JSON.parse(drr)]) {
        expect(Buffer.from(await session.decrypt(input)).toString('base64'), name).toBe(plaintextBase64)
      }
      session.close()
    }
    expect(await rowsAsText()).toEqual(before)
    const report = await metastore.check?.()
    expect(report?.findings.filter((f) => f.level === 'fail')).toEqual([])
  } finally {
    await factory.close()
    await metastore.close?.()
  }
}

describeService('MariaDB', await startMariaDb(), (server) => {
  test.each(['go-mysql.json', 'java-mysql.json', 'rust-mysql.json'])('%s decrypts from a live table', async (file) => {
    await readsEveryCase(file, await mysqlDatabase(server))
  })
})

describeService('PostgreSQL', await startPostgres(), (server) => {
  test.each([
    ['go-postgres.json', 'TEXT'],
    ['java-postgres.json', 'TEXT'],
    ['rust-postgres.json', 'JSONB'],
    ['go-postgres.json', 'JSONB'],
  ] as const)('%s decrypts from a live table with %s', async (file, type) => {
    await readsEveryCase(file, await postgresDatabase(server, type))
  })
})
