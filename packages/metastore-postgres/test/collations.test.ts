import { createPostgresMetastore } from '@asherah/metastore-postgres'
import { describeService } from '@asherah/testing'
import { startPostgres } from '@asherah/testing/services'
import { beforeAll, expect, test } from 'vitest'
import { CREATED, keyOf } from './records.ts'
import { createTable, execute } from './server.ts'

/** Collations of the text that PostgreSQL lets take different letters for equal. */
const COLLATIONS = {
  ignores_case: "provider = icu, locale = 'und-u-ks-level2', deterministic = false",
  ignores_accents: "provider = icu, locale = 'und-u-ks-level1-kc-true', deterministic = false",
}

describeService('PostgreSQL', await startPostgres(), (server) => {
  beforeAll(async () => {
    for (const [name, settings] of Object.entries(COLLATIONS)) {
      await execute(server.url, `CREATE COLLATION ${name} (${settings})`)
    }
  })

  test.each([
    ['ignores_case', '_IK_User_s_p', '_IK_user_s_p'],
    ['ignores_accents', '_IK_usér_s_p', '_IK_user_s_p'],
  ])('D-005 with a collation that %s, an id is still its bytes', async (collation, stored, alike) => {
    const tableName = `table_${collation}`
    await createTable(server.url, { tableName, collation })
    const metastore = createPostgresMetastore({ connectionString: server.url, tableName })
    const row = keyOf(stored)
    expect(await metastore.store(stored, CREATED, row)).toBe(true)
    expect(await metastore.load(stored, CREATED)).toEqual(row)
    expect(await metastore.load(alike, CREATED)).toBe(null)
    expect(await metastore.loadLatest(alike)).toBe(null)
    expect(await metastore.markRevoked(alike, CREATED)).toBe(false)

    // The index refuses the row; it is not there, so that is no duplicate, and must not be said to be one.
    await expect(metastore.store(alike, CREATED, keyOf(alike))).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    const later = keyOf(alike, CREATED + 60)
    expect(await metastore.store(alike, later.created, later)).toBe(true)
    expect(await metastore.loadLatest(stored)).toEqual(row)
    expect(await metastore.loadLatest(alike)).toEqual(later)

    const listed: string[] = []
    for await (const record of metastore.list()) listed.push(record.keyId)
    expect(listed).toEqual([stored, alike].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
    const { ok, findings } = await metastore.check()
    expect(ok).toBe(true)
    expect(findings.filter((f) => f.level === 'warn').map((f) => f.check)).toEqual(['collation'])
    await metastore.close()
  })

  test.each(['C', 'und-x-icu', 'ignores_case'])(
    'list gives each of 2,500 rows once, in a table in %s',
    async (collation) => {
      const tableName = `long_${collation}`
      await createTable(server.url, { tableName, collation })
      const record = `'{"Created":' || (${CREATED} + n) || ',"Key":"AAAA"}'`
      const id = `'_SK_' || (ARRAY['a', 'b', 'B-', 'é', '😀'])[1 + n % 5] || n / 10`
      const rows = `SELECT ${id}, to_timestamp(${CREATED} + n), ${record} FROM generate_series(1, 2500) n`
      await execute(server.url, `INSERT INTO "${tableName}" ${rows}`)
      const metastore = createPostgresMetastore({ connectionString: server.url, tableName })
      const listed: Buffer[] = []
      for await (const { keyId, created } of metastore.list()) listed.push(Buffer.from(`${keyId}\0${created}`))
      expect(listed).toHaveLength(2_500)
      expect(listed).toEqual(listed.toSorted(Buffer.compare))
      expect(new Set(listed.map(String)).size).toBe(2_500)
      await metastore.close()
    },
  )

  test('every statement uses the primary key of schema.sql', async () => {
    await createTable(server.url)
    const insert = `INSERT INTO encryption_key SELECT 'k' || n, to_timestamp(n), '{}' FROM generate_series(1, 20000) n`
    await execute(server.url, insert)
    await execute(server.url, 'ANALYZE encryption_key')
    const { statementTexts } = await import('../src/statements.ts')
    const texts = statementTexts('encryption_key', undefined)
    const values: Record<string, string[]> = {
      load: ['k1', '2020-01-01 00:00:00Z'],
      loadLatest: ['k1'],
      loadLatestNotAfter: ['k1', '2020-01-01 00:00:00Z'],
      pageAfterRow: ['k1', '2020-01-01 00:00:00Z'],
    }
    for (const [name, text] of Object.entries(texts)) {
      const given = values[name]
      if (given === undefined) continue
      const plan = await execute(server.url, `EXPLAIN ${text}`, given)
      expect(plan.map((row) => row['QUERY PLAN']).join('\n'), name).toMatch(/Index (Only )?Scan/)
    }
  })
})
