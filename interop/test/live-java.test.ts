import type { Metastore } from '@asherah/core/backend'
import { parseEnvelopeKeyRecord, serializeEnvelopeKeyRecord } from '@asherah/core/backend'
import { createMemoryMetastore } from '@asherah/metastore-memory'
import { expect, test } from 'vitest'
import { ownProperty } from '../src/json.ts'
import type { JsonLinesProcess } from '../src/json-lines-process.ts'
import { javaPeer } from '../src/peers.ts'
import type { SharedStore } from './both-sides.ts'
import { parentOf } from './both-sides.ts'
import type { LivePeer } from './live-suite.ts'
import { liveInterop } from './live-suite.ts'

/** Two metastores of which each gets the other's rows as text, as a table holds them. */
function exchangedRows(child: JsonLinesProcess, regionSuffix?: string): SharedStore {
  const metastore = createMemoryMetastore(regionSuffix === undefined ? {} : { regionSuffix })
  return {
    metastore,
    openFields: { regionSuffix },
    toPeer: async () => {
      await child.request('load', { rows: await rowsOf(metastore) })
    },
    fromPeer: async () => {
      for (const row of asList(await child.request('dump'))) {
        const key = { keyId: String(ownProperty(row, 'id')), created: Number(ownProperty(row, 'created')) }
        const record = parseEnvelopeKeyRecord(String(ownProperty(row, 'keyRecord')), key)
        await metastore.store(key.keyId, key.created, record)
      }
    },
    close: async () => {},
  }
}

async function rowsOf(metastore: Metastore): Promise<unknown[]> {
  const rows: unknown[] = []
  for await (const record of metastore.list?.() ?? []) {
    rows.push({ id: record.keyId, created: record.created, keyRecord: serializeEnvelopeKeyRecord(record) })
  }
  return rows
}

function asList(value: unknown): unknown[] {
  if (!Array.isArray(value)) throw new Error('the peer did not answer with a list')
  return value
}

const java: LivePeer = {
  name: 'Java (appencryption 0.3.3)',
  createStore: async (child) => exchangedRows(child),
}

liveInterop(java, await javaPeer(), (setting) => {
  test('with a region suffix, both write and read the same key ids', async () => {
    const { openPeer, ours, theirs } = await setting(async (child) => exchangedRows(child, 'us-west-2'))
    await openPeer()
    const byUs = await ours().encrypt('p', Buffer.from('by us'))
    const byThem = await theirs.encrypt('p', Buffer.from('by them'))
    expect(parentOf(byUs).KeyId).toBe('_IK_p_interop-service_interop-product_us-west-2')
    expect(parentOf(byThem)).toEqual(parentOf(byUs))
    expect(await theirs.decrypt('p', byUs)).toEqual(Buffer.from('by us'))
    expect(await ours().decrypt('p', byThem)).toEqual(Buffer.from('by them'))
  })

  test('JSON sessions: a payload object that one side writes, the other reads', async () => {
    const { store, child, openPeer, ourFactory } = await setting()
    await openPeer()
    const payload = { name: 'Zoë 分区 🔑', n: [1, 2.5, -3e10, true, null], nested: { b: '</script>', a: 'é' } }
    await using factory = ourFactory()
    using session = factory.getSessionJsonAsJson('p')

    const byUs = JSON.stringify(await session.encrypt(payload))
    await store.toPeer()
    expect(await child.request('decryptJson', { partition: 'p', record: byUs })).toEqual(payload)
    const byThem = String(await child.request('encryptJson', { partition: 'p', payload }))
    expect(await session.decrypt(JSON.parse(byThem))).toEqual(payload)
  })
})
