import { createPostgresMetastore } from '@asherah/metastore-postgres'
import { describeService } from '@asherah/testing'
import { type SqlServer, startPostgres } from '@asherah/testing/services'
import pg from 'pg'
import { beforeAll, expect, test } from 'vitest'
import { AUTUMN_HOUR, CREATED, keyOf, SPRING_GAP } from './records.ts'
import { createTable, execute } from './server.ts'

const ZONES = ['UTC', 'America/New_York', 'Asia/Kolkata']
const TIMES = [CREATED, SPRING_GAP, AUTUMN_HOUR]

/** A database whose sessions are in the zone, as those of a server in it are. */
async function databaseIn(server: SqlServer, zone: string): Promise<string> {
  const name = `zone_${zone.replace(/\W/g, '_').toLowerCase()}`
  await execute(server.url, `CREATE DATABASE ${name}`)
  await execute(server.url, `ALTER DATABASE ${name} SET timezone TO '${zone}'`)
  return server.url.replace(/\/[^/]*$/, `/${name}`)
}

describeService('PostgreSQL', await startPostgres(), (server) => {
  const urls = new Map<string, string>()
  beforeAll(async () => {
    for (const zone of ZONES) urls.set(zone, await databaseIn(server, zone))
  })

  const cases = ZONES.flatMap((zone) => (['TIMESTAMP', 'TIMESTAMPTZ'] as const).map((created) => ({ zone, created })))
  test.each(cases)(
    'D-048 $created on a server in $zone holds the very instant, in every hour of the year',
    async ({ zone, created }) => {
      const url = urls.get(zone) ?? ''
      const tableName = created.toLowerCase()
      await createTable(url, { tableName, created })
      const metastore = createPostgresMetastore({ connectionString: url, tableName })
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
        url,
        `SELECT extract(epoch FROM created)::int AS seconds FROM "${tableName}" ORDER BY 1`,
      )
      expect(seen.map((row) => row.seconds)).toEqual(rows.map((row) => row.created).toSorted((a, b) => a - b))
    },
  )

  test('D-048 a process in another zone, with a pool whose sessions are in a third one, finds the same rows', async () => {
    const url = urls.get('America/New_York') ?? ''
    const pool = new pg.Pool({ connectionString: url, options: '-c timezone=Asia/Kolkata' })
    const metastore = createPostgresMetastore({ pool, tableName: 'timestamptz' })
    for (const time of TIMES) expect((await metastore.load('_SK_s_p', time))?.created).toBe(time)
    await metastore.close()
    await pool.end()
  })

  test('D-048 check shows rows that were written in a zone other than UTC', async () => {
    const url = urls.get('Asia/Kolkata') ?? ''
    const tableName = 'shifted'
    await createTable(url, { tableName })
    const metastore = createPostgresMetastore({ connectionString: url, tableName })
    await metastore.store('_SK_s_p', CREATED, keyOf('_SK_s_p'))
    await execute(url, `UPDATE ${tableName} SET created = created + interval '5 hours 30 minutes'`)
    const { ok, findings } = await metastore.check()
    expect(ok).toBe(false)
    expect(findings.find((finding) => finding.check === 'zone')?.message).toContain('5.5 h away')
    await expect(metastore.loadLatest('_SK_s_p')).rejects.toMatchObject({ code: 'ERR_ASHERAH_CORRUPT_RECORD' })

    // As docs/metastore-postgres.md moves such a table.
    const created = "to_timestamp((key_record::json ->> 'Created')::bigint) AT TIME ZONE 'UTC'"
    await execute(url, `UPDATE ${tableName} SET created = ${created}`)
    expect((await metastore.check()).ok).toBe(true)
    expect(await metastore.loadLatest('_SK_s_p')).toEqual(keyOf('_SK_s_p'))
    await metastore.close()
  })
})
