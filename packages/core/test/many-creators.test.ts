import { describe, expect, it } from 'vitest'
import { KeyNotFoundError, MetastoreError } from '../src/index.ts'
import { createPeer, createWorld, IK, PLAINTEXT, parentOf, SYSTEM_KEY_ID, type World } from './fakes.ts'
import { encrypt, FIRST_CREATED, read, written } from './one-partition.ts'

describe('D-016 many creators at once', () => {
  const slowStore = (world: World): void => {
    world.metastore.before = async (call) => {
      if (call.method !== 'store') return
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  it('D-016 50 factories on one empty store with delayed writes: one row of each, and all records decrypt', async () => {
    const world = createWorld()
    const peers = Array.from({ length: 50 }, () => createPeer(world))
    for (const peer of peers) slowStore(peer)
    const records = await Promise.all(peers.map(encrypt))
    expect(world.rows.of(SYSTEM_KEY_ID)).toHaveLength(1)
    expect(world.rows.of(IK)).toHaveLength(1)
    for (const record of records) expect(await read(world, record)).toBe('4111 1111')
    // No loser's key stays open. Fewer, where a session that `encrypt` dropped has been collected already.
    for (const peer of peers) expect(peer.crypto.open).toBeLessThanOrEqual(2)
  })

  it('D-016 50 sessions of one factory: one row of each, and one system key is made', async () => {
    const world = createWorld()
    slowStore(world)
    const sessions = Array.from({ length: 50 }, () => world.factory.getSession('p'))
    const records = await Promise.all(sessions.map((session) => session.encrypt(PLAINTEXT)))
    expect(world.rows.of(SYSTEM_KEY_ID)).toHaveLength(1)
    expect(world.rows.of(IK)).toHaveLength(1)
    expect(world.kms.encrypted).toHaveLength(1)
    const peer = createPeer(world)
    for (const record of records) expect(await read(peer, record)).toBe('4111 1111')
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })

  it('D-053 a lagging replica hides what was just written: an error, no second key, and the next call succeeds', async () => {
    const { cold, rows, first } = await written()
    await first.factory.close()
    rows.revoke({ keyId: IK, created: FIRST_CREATED })
    const writer = createPeer(first)
    const record = await encrypt(writer)
    // This process's reads still see the store as it was before.
    const { loadLatest } = cold.metastore
    let lag = true
    cold.metastore.loadLatest = async (keyId, options) => {
      if (!lag || keyId !== IK) return loadLatest(keyId, options)
      return rows.get(IK, FIRST_CREATED) ?? null
    }
    await expect(encrypt(cold)).rejects.toBeInstanceOf(MetastoreError)
    lag = false
    expect(parentOf(await encrypt(cold))).toEqual(parentOf(record))
    expect(rows.of(IK)).toHaveLength(2)
  })

  it('D-053 a miss of an exact key is not kept: the read succeeds when the row is there', async () => {
    const { cold, record } = await written()
    const { load } = cold.metastore
    let lag = true
    cold.metastore.load = async (...given) => (lag ? null : load(...given))
    await expect(read(cold, record)).rejects.toBeInstanceOf(KeyNotFoundError)
    lag = false
    expect(await read(cold, record)).toBe('4111 1111')
  })
})
