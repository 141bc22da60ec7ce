import { createMysqlMetastore } from '@asherah/metastore-mysql'
import { describeService } from '@asherah/testing'
import { startMariaDb } from '@asherah/testing/services'
import { createPool } from 'mysql2/promise'
import { expect, test } from 'vitest'
import { AUTUMN_HOUR, CREATED, keyOf, SPRING_GAP } from './records.ts'
import { createTable, execute } from './server.ts'

const TIMES = [CREATED, SPRING_GAP, AUTUMN_HOUR]

for (const timeZone of ['UTC', 'America/New_York', 'Asia/Kolkata']) {
  describeService(`MariaDB in ${timeZone}`, await startMariaDb({ timeZone }), (server) => {
    test.each(['TIMESTAMP', 'DATETIME', 'DATETIME(3)'])(
      'D-048 %s holds the very instant, in every hour of the year',
      async (created) => {
        const tableName = created.toLowerCase()
        await createTable(server.url, { tableName, created })
        const metastore = createMysqlMetastore({ connectionString: server.url, tableName })
        const rows = TIMES.flatMap((time) => [0, 3_600, 7_200].map((later) => keyOf('_SK_s_p', time + later)))
        for (const row of rows) expect(await metastore.store(row.keyId, row.created, row)).toBe(true)
        for (const row of rows) {
          expect(await metastore.load(row.keyId, row.created)).toEqual(row)
          expect(await metastore.loadLatest(row.keyId, { notAfter: row.created })).toEqual(row)
        }
        expect((await metastore.check()).findings.filter((finding) => finding.level !== 'pass')).toEqual([])
        await metastore.close()
        // What a reader of another implementation sees, whose session is in UTC.
        const seen = await execute(
          server.url,
          `SELECT TIMESTAMPDIFF(SECOND, '1970-01-01', created) AS s FROM \`${tableName}\` ORDER BY 1`,
        )
        expect(seen.map((row) => row.s)).toEqual(rows.map((row) => row.created).toSorted((a, b) => a - b))
      },
    )

    test("D-048 a pool whose sessions are in the server's zone finds the same rows", async () => {
      const pool = createPool({ uri: server.url, connectionLimit: 1 })
      await pool.query("SET time_zone = '-11:00'")
      const metastore = createMysqlMetastore({ pool, tableName: 'timestamp' })
      for (const time of TIMES) expect((await metastore.load('_SK_s_p', time))?.created).toBe(time)
      await pool.query("SET time_zone = '-11:00'")
      for (const time of TIMES) expect((await metastore.load('_SK_s_p', time))?.created).toBe(time)
      await metastore.close()
      await pool.end()
    })

    test('D-048 check shows rows that were written in a zone other than UTC', async () => {
      const tableName = 'shifted'
      await createTable(server.url, { tableName })
      const metastore = createMysqlMetastore({ connectionString: server.url, tableName })
      await metastore.store('_SK_s_p', CREATED, keyOf('_SK_s_p'))
      await execute(server.url, `UPDATE ${tableName} SET created = created + INTERVAL 330 MINUTE`)
      const { ok, findings } = await metastore.check()
      expect(ok).toBe(false)
      expect(findings.find((finding) => finding.check === 'zone')?.message).toContain('5.5 h away')
      await expect(metastore.loadLatest('_SK_s_p')).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })

      // As docs/metastore-mysql.md moves such a table, in a session that is in UTC.
      const created = "FROM_UNIXTIME(JSON_VALUE(key_record, '$.Created'))"
      await execute(server.url, `UPDATE ${tableName} SET created = ${created}`)
      expect((await metastore.check()).ok).toBe(true)
      expect(await metastore.loadLatest('_SK_s_p')).toEqual(keyOf('_SK_s_p'))
      await metastore.close()
    })
  })
}
