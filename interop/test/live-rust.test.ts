import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createSqliteMetastore } from '@asherah/metastore-sqlite'
import { afterAll, expect, test } from 'vitest'
import { rustPeer } from '../src/peers.ts'
import type { SharedStore } from './both-sides.ts'
import { parentOf } from './both-sides.ts'
import type { LivePeer } from './live-suite.ts'
import { liveInterop } from './live-suite.ts'

const scratch: string[] = []
afterAll(() => {
  for (const folder of scratch) rmSync(folder, { recursive: true, force: true })
})

function newPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'asherah-rust-'))
  scratch.push(folder)
  return join(folder, 'keys.db')
}

/** One SQLite file, open on both sides at once. */
function sharedFile(path: string): SharedStore {
  const metastore = createSqliteMetastore({ path })
  return {
    metastore,
    openFields: { path },
    toPeer: async () => {},
    fromPeer: async () => {},
    close: () => metastore.close(),
  }
}

/** The row that the peer keeps beside the keys, to notice when its settings change. */
function guardRows(path: string): unknown[] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return database.prepare("SELECT * FROM encryption_key WHERE id GLOB '__asherah_internal_*'").all()
  } finally {
    database.close()
  }
}

const rust: LivePeer = {
  name: 'Rust (PyPI asherah 0.5.56)',
  createStore: async () => sharedFile(newPath()),
}

liveInterop(rust, await rustPeer(), (setting) => {
  test('a file that the peer made: we read and write beside its drift-guard row, and leave that row alone', async () => {
    const path = newPath()
    const { openPeer, ours, theirs, store } = await setting(async (child) => {
      // The peer makes the file and its first keys before our metastore ever opens it.
      await child.request('open', { service: 's', product: 'p', masterKey: 'another-master-key-of-32-letters', path })
      await child.request('encrypt', { partition: 'first', plaintext: '' })
      return sharedFile(path)
    })
    const before = guardRows(path)
    expect(before).toHaveLength(1)

    await openPeer()
    const byUs = await ours().encrypt('p', Buffer.from('by us'))
    expect(await theirs.decrypt('p', byUs)).toEqual(Buffer.from('by us'))
    const byThem = await theirs.encrypt('p', Buffer.from('by them'))
    expect(await ours().decrypt('p', byThem)).toEqual(Buffer.from('by them'))

    expect(guardRows(path)).toEqual(expect.arrayContaining(before))
    expect((await store.metastore.check?.())?.ok).toBe(true)
  })

  test('D-016 both sides make their first keys at once on one file', async () => {
    const { openPeer, ours, theirs } = await setting()
    await openPeer()
    const names = Array.from({ length: 8 }, (_, i) => `tenant-${i}`)
    const records = await Promise.all(
      names.flatMap((name) => [ours().encrypt(name, Buffer.from(name)), theirs.encrypt(name, Buffer.from(name))]),
    )
    for (const [i, record] of records.entries()) {
      const name = names[i >> 1] ?? ''
      expect(parentOf(record).KeyId).toBe(`_IK_${name}_interop-service_interop-product`)
      expect(await ours().decrypt(name, record)).toEqual(Buffer.from(name))
      expect(await theirs.decrypt(name, record)).toEqual(Buffer.from(name))
    }
  })
})
