import { describeService } from '@asherah/testing'
import { startMariaDb, startPostgres } from '@asherah/testing/services'
import { expect, test } from 'vitest'
import { PeerError } from '../src/json-lines-process.ts'
import { javaPeer, rustPeer } from '../src/peers.ts'
import { mysqlDatabase, postgresDatabase, type SqlDatabase } from '../src/sql-tables.ts'
import type { SharedStore } from './both-sides.ts'
import { parentOf } from './both-sides.ts'
import type { Setting } from './live-suite.ts'
import { liveInterop } from './live-suite.ts'

const java = await javaPeer()
const rust = await rustPeer()

/** One table, open on both sides at once. */
async function sharedTable(making: Promise<SqlDatabase>, peer: 'Java' | 'Rust'): Promise<SharedStore> {
  const database = await making
  const metastore = database.createMetastore()
  return {
    metastore,
    openFields: peer === 'Java' ? { jdbcUrl: database.jdbcUrl } : { sqlUrl: database.url },
    toPeer: async () => {},
    fromPeer: async () => {},
    close: async () => metastore.close?.(),
  }
}

/**
 * Java on PostgreSQL takes the refusal of a duplicate for a failure: it knows MySQL's exception only. Its next call finds the
 * winner's key.
 */
const JAVA_LOSES = /Unable to store new Intermediate Key/

/** @param loserFails What the peer says when it loses a race; undefined: it says nothing. */
function sqlTests(setting: Setting, loserFails?: RegExp): void {
  test('what the peer made passes check, and both sides find the keys of the other by id and created', async () => {
    const { store, openPeer, ours, theirs } = await setting()
    await openPeer()
    const records = [await theirs.encrypt('by-them', Buffer.from('1')), await ours().encrypt('by-us', Buffer.from('2'))]
    const { ok, findings } = (await store.metastore.check?.()) ?? {}
    expect(findings?.filter((finding) => finding.level === 'fail')).toEqual([])
    expect(ok).toBe(true)
    for (const record of records) {
      const { KeyId, Created } = parentOf(record)
      expect(await store.metastore.load(KeyId, Created)).toMatchObject({ keyId: KeyId, created: Created })
    }
  })

  test('D-016 both sides make their first keys at once in one table', async () => {
    const { openPeer, ours, theirs } = await setting()
    await openPeer()
    // The peers' own race for the system key is not what is looked at here.
    await theirs.encrypt('first', Buffer.alloc(0))
    const names = Array.from({ length: 6 }, (_, i) => `tenant-${i}`)
    const encryptThere = (name: string) =>
      theirs.encrypt(name, Buffer.from(name)).catch((error: unknown) => {
        if (loserFails === undefined || !(error instanceof PeerError) || !loserFails.test(error.message)) throw error
        return theirs.encrypt(name, Buffer.from(name))
      })
    const records = await Promise.all(
      names.flatMap((name) => [ours().encrypt(name, Buffer.from(name)), encryptThere(name)]),
    )
    for (const [i, record] of records.entries()) {
      const name = names[i >> 1] ?? ''
      expect(await ours().decrypt(name, record)).toEqual(Buffer.from(name))
      expect(await theirs.decrypt(name, record)).toEqual(Buffer.from(name))
    }
  })
}

describeService('MariaDB', await startMariaDb(), (server) => {
  const javaStore = { name: 'Java (JDBC, MariaDB)', createStore: () => sharedTable(mysqlDatabase(server), 'Java') }
  liveInterop(javaStore, java, sqlTests)
  const rustStore = { name: 'Rust (MariaDB)', createStore: () => sharedTable(mysqlDatabase(server), 'Rust') }
  liveInterop(rustStore, rust, sqlTests)
})

describeService('PostgreSQL', await startPostgres(), (server) => {
  const javaStore = {
    name: 'Java (JDBC, PostgreSQL with TEXT)',
    createStore: () => sharedTable(postgresDatabase(server, 'TEXT'), 'Java'),
  }
  liveInterop(javaStore, java, (setting) => sqlTests(setting, JAVA_LOSES))
  const rustStore = {
    name: 'Rust (PostgreSQL with JSONB)',
    createStore: () => sharedTable(postgresDatabase(server, 'JSONB'), 'Rust'),
  }
  liveInterop(rustStore, rust, sqlTests)
})
