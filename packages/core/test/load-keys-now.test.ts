import { afterEach, describe, expect, it } from 'vitest'
import { type BlockingKeySource, loadKeysNow, openAes256Gcm } from '../src/backend.ts'
import type { EnvelopeKeyRecord, Session } from '../src/index.ts'
import {
  bytesOf,
  createWorld,
  DAY,
  flipped,
  HOUR,
  IK,
  intermediateKeyId,
  recordEvents,
  SECOND,
  START_MS,
  SYSTEM_KEY_ID,
  type World,
} from './fakes.ts'
import { isAllZero, thrownBy, untyped } from './harness.ts'

const plaintext = bytesOf('4111 1111 1111 1111')
const START = Math.floor(START_MS / SECOND)

/** Reads a world's rows in this tick, as another thread would. */
interface FakeSource extends BlockingKeySource {
  /** What was asked, in order. */
  readonly asked: string[]
  /** Every plaintext key that was given: the same memory. */
  readonly keys: Uint8Array[]
}

function createFakeSource({ rows }: Pick<World, 'rows'>): FakeSource {
  const asked: string[] = []
  const keys: Uint8Array[] = []
  return {
    asked,
    keys,
    load(keyId, created) {
      asked.push(`load ${keyId}`)
      return rows.get(keyId, created) ?? null
    },
    loadLatest(keyId, notAfter) {
      asked.push(`loadLatest ${keyId}`)
      return (
        rows
          .of(keyId)
          .filter((row) => row.created <= notAfter)
          .at(-1) ?? null
      )
    },
    decryptKey(row) {
      asked.push(`decryptKey ${row.keyId}`)
      const key = openAes256Gcm(row.encryptedKey, new Uint8Array(32).fill(7))
      keys.push(key)
      return key
    },
  }
}

/** A process that has written a record, and another one without keys on its store. */
async function twoWorlds(policy: Parameters<typeof createWorld>[0] = {}) {
  const first = createWorld(policy)
  const record = await first.factory.getSession('p').encryptToJson(plaintext)
  const world = createWorld(policy, { clock: first.clock, metastore: first.metastore, kms: first.kms })
  first.metastore.forget()
  const session = world.factory.getSession('p')
  return { first, world, record, session, source: createFakeSource(world) }
}

const rowOf = (world: World, keyId: string): EnvelopeKeyRecord => {
  const row = world.rows.of(keyId).at(-1)
  if (row === undefined) throw new Error(`no row ${keyId}`)
  return row
}

const recordings: { stop(): void }[] = []
afterEach(() => {
  for (const one of recordings.splice(0)) one.stop()
})

describe('loadKeysNow', () => {
  it('makes the next encrypt and decrypt of this tick hot, and wipes the system key', async () => {
    const { world, session, record, source } = await twoWorlds()
    expect(loadKeysNow(session, source)).toBe(true)
    expect(source.asked).toEqual([`loadLatest ${IK}`, `load ${SYSTEM_KEY_ID}`, `decryptKey ${SYSTEM_KEY_ID}`])
    expect(source.keys).toHaveLength(1)
    expect(source.keys.every(isAllZero)).toBe(true)
    expect(session.tryDecrypt(record)).toEqual(plaintext)
    const json = session.tryEncryptToJson(plaintext)
    expect(json).toBeTypeOf('string')
    expect(world.metastore.calls).toEqual([])
    expect(world.factory.stats().openKeys).toEqual({ systemKeys: 1, intermediateKeys: 1 })
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })

  it('loads the key that a record names, in every form of the record', async () => {
    const { world, record, source } = await twoWorlds()
    for (const form of [record, bytesOf(record), JSON.parse(record)]) {
      const session = world.factory.getSession('p')
      expect(session.tryDecrypt(form)).toBeUndefined()
      expect(loadKeysNow(session, source, form)).toBe(true)
      expect(session.tryDecrypt(form)).toEqual(plaintext)
      session.close()
    }
    expect(source.keys).toHaveLength(1)
  })

  it('asks for the system key once for all partitions', async () => {
    const { first, world, session, source } = await twoWorlds()
    await first.factory.getSession('q').encrypt(plaintext)
    loadKeysNow(session, source)
    const other = world.factory.getSession('q')
    expect(loadKeysNow(other, source)).toBe(true)
    expect(other.tryEncryptToJson(plaintext)).toBeTypeOf('string')
    expect(source.asked.slice(3)).toEqual([`loadLatest ${intermediateKeyId('q')}`])
  })

  it('keeps keys in the shared cache, within its bound, and closes those that leave', async () => {
    const policy = { sharedIntermediateKeyCache: true, intermediateKeyCacheMaxSize: 2 }
    const { first, world, source } = await twoWorlds(policy)
    for (const id of ['a', 'b', 'c', 'd']) {
      await first.factory.getSession(id).encrypt(plaintext)
      expect(loadKeysNow(world.factory.getSession(id), source)).toBe(true)
    }
    expect(world.factory.stats().openKeys).toEqual({ systemKeys: 1, intermediateKeys: 2 })
    expect(world.factory.getSession('d').tryEncryptToJson(plaintext)).toBeTypeOf('string')
    expect(world.factory.getSession('a').tryEncryptToJson(plaintext)).toBeUndefined()
  })

  it('keeps nothing where the policy keeps nothing, and asks for nothing', async () => {
    for (const policy of [{ cacheIntermediateKeys: false }, { revokeCheckIntervalMs: 0 }]) {
      const { session, source, record } = await twoWorlds(policy)
      expect(loadKeysNow(session, source)).toBe(false)
      expect(loadKeysNow(session, source, record)).toBe(false)
      expect(source.asked).toEqual([])
    }
  })

  it('without cacheSystemKeys keeps the intermediate key alone, and re-checks it without the KMS', async () => {
    const { world, session, source } = await twoWorlds({ cacheSystemKeys: false, revokeCheckIntervalMs: HOUR })
    expect(loadKeysNow(session, source)).toBe(true)
    expect(world.crypto.open).toBe(1)
    world.clock.advance(2 * HOUR)
    expect(session.tryEncryptToJson(plaintext)).toBeUndefined()
    expect(loadKeysNow(session, source)).toBe(true)
    expect(session.tryEncryptToJson(plaintext)).toBeTypeOf('string')
    expect(source.keys).toHaveLength(1)
  })

  it('D-011 D-014 a re-check after the interval notices a revocation of either key', async () => {
    for (const keyId of [IK, SYSTEM_KEY_ID]) {
      const { world, session, record, source } = await twoWorlds({ revokeCheckIntervalMs: HOUR })
      loadKeysNow(session, source)
      const row = rowOf(world, keyId)
      world.rows.revoke(row)
      world.clock.advance(HOUR - SECOND)
      expect(session.tryEncryptToJson(plaintext)).toBeTypeOf('string')
      world.clock.advance(2 * SECOND)
      expect(session.tryEncryptToJson(plaintext)).toBeUndefined()
      expect(loadKeysNow(session, source)).toBe(false)
      expect(session.tryEncryptToJson(plaintext)).toBeUndefined()
      // What is revoked goes on reading, and is unwrapped no second time.
      expect(loadKeysNow(session, source, record)).toBe(true)
      expect(session.tryDecrypt(record)).toEqual(plaintext)
      expect(source.keys).toHaveLength(1)
    }
  })

  it.each(['inline', 'queued'] as const)(
    'an expired key is not loaded for writing (%s), and reads on',
    async (rotation) => {
      const { world, session, record, source } = await twoWorlds({ rotation, expireAfterMs: 30 * DAY })
      world.clock.advance(31 * DAY)
      expect(loadKeysNow(session, source)).toBe(false)
      expect(source.keys).toHaveLength(0)
      expect(loadKeysNow(session, source, record)).toBe(true)
      expect(session.tryDecrypt(record)).toEqual(plaintext)
    },
  )

  it('takes over a newer key, as a reading of "latest" does', async () => {
    const { first, world, session, source } = await twoWorlds({ revokeCheckIntervalMs: HOUR })
    loadKeysNow(session, source)
    world.rows.revoke(rowOf(world, IK))
    world.clock.advance(2 * HOUR)
    const other = createWorld({}, { clock: first.clock, metastore: first.metastore, kms: first.kms })
    await other.factory.getSession('p').encrypt(plaintext)
    expect(loadKeysNow(session, source)).toBe(true)
    const json = session.tryEncryptToJson(plaintext) ?? ''
    expect(JSON.parse(json).Key.ParentKeyMeta.Created).toBe(rowOf(world, IK).created)
  })

  it('a revoked system key is not asked of the KMS for writing', async () => {
    const { world, session, source } = await twoWorlds()
    world.rows.revoke(rowOf(world, SYSTEM_KEY_ID))
    expect(loadKeysNow(session, source)).toBe(false)
    expect(source.keys).toHaveLength(0)
    expect(world.crypto.open).toBe(0)
  })

  it('what is not there is left to the calls that wait', async () => {
    const { world, session, record, source } = await twoWorlds()
    world.rows.remove(rowOf(world, SYSTEM_KEY_ID))
    expect(loadKeysNow(session, source)).toBe(false)
    expect(loadKeysNow(session, source, record)).toBe(false)
    world.rows.remove(rowOf(world, IK))
    expect(loadKeysNow(session, source)).toBe(false)
    expect(loadKeysNow(session, source, record)).toBe(false)
    expect(world.crypto.open).toBe(0)
  })

  it('publishes what a load publishes', async () => {
    const { session, source } = await twoWorlds()
    const events = recordEvents()
    recordings.push(events)
    loadKeysNow(session, source)
    expect(events.cache.map(({ cache, event }) => `${cache} ${event}`)).toEqual(['ik miss', 'sk miss'])
  })
})

describe('loadKeysNow refuses', () => {
  const row = (change: Partial<EnvelopeKeyRecord>) => (given: EnvelopeKeyRecord | null) =>
    given === null ? null : { ...given, ...change }
  const hostile: readonly [string, string, (row: EnvelopeKeyRecord | null) => unknown, string][] = [
    ['another id', IK, row({ keyId: intermediateKeyId('q') }), 'CORRUPT_RECORD'],
    ['an id in another case', IK, row({ keyId: IK.toUpperCase() }), 'CORRUPT_RECORD'],
    ['a foreign parent', IK, row({ parentKeyMeta: { keyId: '_SK_other_prod', created: START } }), 'WRONG_PARTITION'],
    [
      'a Key of 59 bytes',
      IK,
      (given) => given && { ...given, encryptedKey: given.encryptedKey.slice(1) },
      'CORRUPT_RECORD',
    ],
    [
      'a Key with a flipped bit',
      IK,
      (given) => given && { ...given, encryptedKey: flipped(given.encryptedKey) },
      'DECRYPTION_FAILED',
    ],
    ['no flag', IK, row({ revoked: untyped(undefined) }), 'CORRUPT_RECORD'],
    ['undefined', IK, () => undefined, 'CORRUPT_RECORD'],
    ['text', IK, () => 'row', 'CORRUPT_RECORD'],
    ['a system key of another time', SYSTEM_KEY_ID, row({ created: 5 }), 'CORRUPT_RECORD'],
    [
      'a system key with a flipped bit',
      SYSTEM_KEY_ID,
      (given) => given && { ...given, encryptedKey: flipped(given.encryptedKey) },
      'KMS',
    ],
  ]
  it.each(hostile)('%s', async (_, keyId, change, code) => {
    const { world, session, record, source } = await twoWorlds()
    const changed = (id: string, given: EnvelopeKeyRecord | null) => (id === keyId ? untyped(change(given)) : given)
    const bad: BlockingKeySource = {
      load: (id, created) => changed(id, source.load(id, created)),
      loadLatest: (id, notAfter) => changed(id, source.loadLatest(id, notAfter)),
      decryptKey: source.decryptKey,
    }
    for (const given of [undefined, record]) {
      expect(thrownBy(() => loadKeysNow(session, bad, given)).code).toBe(`ERR_ASHERAH_${code}`)
      expect(session.tryEncryptToJson(plaintext)).toBeUndefined()
      expect(session.tryDecrypt(record)).toBeUndefined()
    }
    expect(source.keys.every(isAllZero)).toBe(true)
    await world.factory.close()
    expect(world.crypto.open).toBe(0)
  })

  it('a key from the future', async () => {
    const { world, session, source } = await twoWorlds()
    const future = { ...rowOf(world, IK), created: START + 86_400 }
    const bad = { ...source, loadLatest: () => future }
    expect(thrownBy(() => loadKeysNow(session, bad)).code).toBe('ERR_ASHERAH_FUTURE_KEY')
  })

  it('keys of a wrong length, which are wiped, and what is no key', async () => {
    const { session, source } = await twoWorlds()
    const short = new Uint8Array(31).fill(1)
    expect(thrownBy(() => loadKeysNow(session, { ...source, decryptKey: () => short })).code).toBe('ERR_ASHERAH_KMS')
    expect(isAllZero(short)).toBe(true)
    expect(thrownBy(() => loadKeysNow(session, { ...source, decryptKey: () => untyped('key') })).code).toBe(
      'ERR_ASHERAH_KMS',
    )
  })

  it('what the source throws, typed; key bytes are wiped when the provider refuses them', async () => {
    const { world, session, source } = await twoWorlds()
    const fails = (): never => {
      throw new Error('down')
    }
    expect(thrownBy(() => loadKeysNow(session, { ...source, loadLatest: fails })).code).toBe('ERR_ASHERAH_METASTORE')
    expect(thrownBy(() => loadKeysNow(session, { ...source, load: fails })).code).toBe('ERR_ASHERAH_METASTORE')
    expect(thrownBy(() => loadKeysNow(session, { ...source, decryptKey: fails })).code).toBe('ERR_ASHERAH_KMS')
    world.crypto.before = (method) => {
      if (method === 'unwrapKey') fails()
    }
    expect(() => loadKeysNow(session, source)).toThrow('down')
    expect(source.keys.every(isAllZero)).toBe(true)
    expect(session.tryEncryptToJson(plaintext)).toBeUndefined()
  })

  it("another partition's record, before anything is asked", async () => {
    const { world, record, source } = await twoWorlds()
    const other = world.factory.getSession('q')
    expect(thrownBy(() => loadKeysNow(other, source, record)).code).toBe('ERR_ASHERAH_WRONG_PARTITION')
    expect(source.asked).toEqual([])
  })

  it('a closed session, a closed factory, and what is no session', async () => {
    const { world, session, source } = await twoWorlds()
    const other = world.factory.getSession('p')
    other.close()
    expect(thrownBy(() => loadKeysNow(other, source)).code).toBe('ERR_ASHERAH_CLOSED')
    await world.factory.close()
    expect(thrownBy(() => loadKeysNow(session, source)).code).toBe('ERR_ASHERAH_CLOSED')
    const none: Session = untyped({})
    expect(thrownBy(() => loadKeysNow(none, source)).code).toBe('ERR_ASHERAH_INVALID_INPUT')
  })
})
