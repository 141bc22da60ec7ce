import { describeService } from '@asherah/testing'
import { startMariaDb, startPostgres } from '@asherah/testing/services'
import { expect, test } from 'vitest'
import type { Peer } from '../src/peers.ts'
import { javaPeer, rustPeer } from '../src/peers.ts'
import { mysqlDatabase, postgresDatabase, type SqlDatabase } from '../src/sql-tables.ts'

const timeZone = 'America/New_York'
const java = await javaPeer()
const rust = await rustPeer()
const inUtc = '&connectionTimeZone=UTC&forceConnectionTimeZoneToSession=true'

/** The time zones that our `check` says a peer's first rows to be in: none is UTC. */
async function zonesWrittenBy(
  peer: Peer,
  database: SqlDatabase,
  fields: Readonly<Record<string, string>>,
): Promise<string[]> {
  if (!peer.available) return expect.fail(peer.reason)
  const child = peer.start()
  const metastore = database.createMetastore()
  try {
    const common = { service: 's', product: 'p', masterKey: 'interop-master-key-of-32-letters' }
    await child.request('open', { ...common, ...fields })
    await child.request('encrypt', { partition: 'p', plaintext: '' })
    const report = await metastore.check?.()
    return (report?.findings ?? []).filter((f) => f.check === 'zone' && f.level === 'fail').map((f) => f.message)
  } finally {
    await child.stop()
    await metastore.close?.()
  }
}

/** A peer that cannot be had is a loud skip, or with `ASHERAH_TEST_REQUIRE=all` a failure. */
function testWith(peer: Peer, title: string, body: () => Promise<void>): void {
  if (peer.available) return void test(title, body)
  if (process.env.ASHERAH_TEST_REQUIRE === 'all') return void test(title, () => expect.fail(peer.reason))
  console.warn(`SKIPPED: ${title}: ${peer.reason}`)
  test.skip(`${title}: ${peer.reason}`, () => {})
}

// What docs/metastore-mysql.md and docs/metastore-postgres.md say of the peers' time zones.

describeService('MariaDB in New York', await startMariaDb({ timeZone }), (server) => {
  testWith(
    java,
    'D-048 Java writes UTC as the time of its session, which is the server’s unless JDBC is told',
    async () => {
      const shifted = await mysqlDatabase(server)
      expect(await zonesWrittenBy(java, shifted, { jdbcUrl: shifted.jdbcUrl })).toHaveLength(1)
      const told = await mysqlDatabase(server)
      expect(await zonesWrittenBy(java, told, { jdbcUrl: told.jdbcUrl + inUtc })).toEqual([])
    },
  )

  testWith(rust, 'D-048 Rust writes UTC as the time of its session, which is the server’s', async () => {
    const database = await mysqlDatabase(server)
    expect(await zonesWrittenBy(rust, database, { sqlUrl: database.url })).toHaveLength(1)
  })
})

describeService('PostgreSQL in New York', await startPostgres({ timeZone }), (server) => {
  testWith(java, 'D-048 Java in a JVM in UTC writes UTC', async () => {
    const database = await postgresDatabase(server, 'TEXT')
    expect(await zonesWrittenBy(java, database, { jdbcUrl: database.jdbcUrl })).toEqual([])
  })

  testWith(rust, 'D-048 Rust writes in the time zone of its session, unless the role’s is UTC', async () => {
    const shifted = await postgresDatabase(server, 'JSONB')
    expect(await zonesWrittenBy(rust, shifted, { sqlUrl: shifted.url })).toHaveLength(1)
    await shifted.select(`ALTER ROLE ${server.user} SET timezone TO 'UTC'`)
    const told = await postgresDatabase(server, 'JSONB')
    expect(await zonesWrittenBy(rust, told, { sqlUrl: told.url })).toEqual([])
  })
})
