import { readFileSync } from 'node:fs'
import { createMysqlMetastore } from '@asherah/metastore-mysql'
import { describeService } from '@asherah/testing'
import { startMariaDb } from '@asherah/testing/services'
import { expect, test } from 'vitest'
import { statementTexts } from '../src/statements.ts'
import { CREATED, keyOf } from './records.ts'
import { createTable, execute } from './server.ts'

describeService('MariaDB', await startMariaDb(), (server) => {
  test.each([
    ['utf8mb4_general_ci', '_IK_User_s_p', '_IK_user_s_p'],
    ['utf8mb4_unicode_ci', '_IK_usér_s_p', '_IK_user_s_p'],
    ['utf8mb4_unicode_ci', '_IK_user_s_p ', '_IK_user_s_p'],
    ['latin1_swedish_ci', '_IK_usér_s_p', '_IK_USER_s_p'],
  ])('D-005 with the collation %s, the id %j is not %j', async (collation, stored, alike) => {
    const tableName = `table_${collation}_${stored.length}`
    const charset = collation.split('_')[0]
    await createTable(server.url, { tableName, id: `VARCHAR(255) CHARACTER SET ${charset} COLLATE ${collation}` })
    const metastore = createMysqlMetastore({ connectionString: server.url, tableName })
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
    expect(findings.filter((f) => f.level === 'warn').map((f) => f.check)).toContain('collation')
    await metastore.close()
  })

  test('schema.sql makes a table that check has nothing to say about, and every statement uses its key', async () => {
    await execute(server.url, 'CREATE DATABASE fresh')
    const url = server.url.replace(/\/[^/]*$/, '/fresh')
    await execute(url, readFileSync(new URL('../schema.sql', import.meta.url), 'utf8'))
    const insert = `INSERT INTO encryption_key SELECT concat('k', seq), from_unixtime(seq), '{}' FROM seq_1_to_20000`
    await execute(url, insert)
    await execute(url, 'ANALYZE TABLE encryption_key')
    const texts = statementTexts('encryption_key', undefined)
    for (const name of ['load', 'loadLatest', 'loadLatestNotAfter'] as const) {
      const values = ['k1', 'k1', ...(name === 'loadLatest' ? [] : ['1970-01-01 00:00:01'])]
      const plan = await execute(url, `EXPLAIN ${texts[name]}`, values)
      expect(plan[0], name).toMatchObject({ key: 'PRIMARY', type: expect.stringMatching(/const|ref|range/) })
      expect(Number(plan[0]?.rows), name).toBeLessThan(10)
    }
    const plan = await execute(url, `EXPLAIN ${texts.indexedPages.afterRow}`, ['k5', 'k5', '1970-01-01 00:00:01'])
    expect(plan[0]).toMatchObject({ key: 'PRIMARY', Extra: expect.not.stringContaining('filesort') })
    await execute(url, 'DELETE FROM encryption_key')
    const metastore = createMysqlMetastore({ connectionString: url })
    expect((await metastore.check()).findings.filter((finding) => finding.level !== 'pass')).toEqual([])
    await metastore.close()
  })

  test('markRevoked keeps created where the server would set it: a first TIMESTAMP of the older kind', async () => {
    const tableName = 'older'
    await createTable(server.url, { tableName, created: 'TIMESTAMP' })
    await execute(
      server.url,
      `ALTER TABLE ${tableName} MODIFY created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP`,
    )
    const metastore = createMysqlMetastore({ connectionString: server.url, tableName })
    await metastore.store('_SK_s_p', CREATED, keyOf('_SK_s_p'))
    expect(await metastore.markRevoked('_SK_s_p', CREATED)).toBe(true)
    expect(await metastore.load('_SK_s_p', CREATED)).toEqual({ ...keyOf('_SK_s_p'), revoked: true })
    expect((await metastore.check()).findings.filter((f) => f.level === 'warn').map((f) => f.check)).toEqual([
      'created',
    ])
    await metastore.close()
  })

  test('text that does not fit is an error, never cut, whatever the mode of the server (D-006)', async () => {
    const tableName = 'short'
    await createTable(server.url, { tableName, id: 'VARCHAR(20)' })
    await execute(server.url, "SET GLOBAL sql_mode = ''")
    const metastore = createMysqlMetastore({ connectionString: server.url, tableName })
    const long = '_SK_a_name_of_30_characters_00'
    await expect(metastore.store(long, CREATED, keyOf(long))).rejects.toMatchObject({ code: 'ERR_ASHERAH_METASTORE' })
    expect(await execute(server.url, `SELECT id FROM ${tableName}`)).toEqual([])
    await expect(metastore.store('_SK_s_p', 2 ** 31 + 5, keyOf('_SK_s_p', 2 ** 31 + 5))).rejects.toMatchObject({
      code: 'ERR_ASHERAH_METASTORE',
    })
    await metastore.close()
  })

  test('database and table are quoted, whatever they are called (D-068)', async () => {
    const schemaName = 'my `own` db; --'
    const tableName = "keys`'); DROP TABLE encryption_key; --"
    await createTable(server.url)
    await execute(server.url, 'CREATE DATABASE `my ``own`` db; --`')
    const quoted = "`my ``own`` db; --`.`keys``'); DROP TABLE encryption_key; --`"
    await execute(
      server.url,
      `CREATE TABLE ${quoted} (id VARCHAR(100) NOT NULL, created DATETIME NOT NULL, key_record LONGTEXT, UNIQUE (id, created))`,
    )
    const metastore = createMysqlMetastore({ connectionString: server.url, schemaName, tableName })
    expect(await metastore.store('_SK_q', CREATED, keyOf('_SK_q'))).toBe(true)
    expect(await metastore.loadLatest('_SK_q')).toEqual(keyOf('_SK_q'))
    expect((await metastore.check()).ok).toBe(true)
    await metastore.close()
    expect(await execute(server.url, "SELECT 1 AS one FROM encryption_key WHERE id = '_SK_q'")).toEqual([])
  })
})
