import { describe, expect, it } from 'vitest'
import { AbortedError, InvalidConfigError, KeyNotFoundError, SessionFactory } from '../src/index.ts'
import {
  createFakeMetastore,
  createPeer,
  createWorld,
  HOUR,
  intermediateKeyId,
  PLAINTEXT,
  parentOf,
  SYSTEM_KEY_ID,
  textOf,
  type World,
} from './fakes.ts'
import { minimalOptions } from './harness.ts'

const RETRY_MS = 60

/** A process whose replica does not show rows of the prefix at the first `misses` reads of each. */
function lagging(first: World, prefix: string, misses: number, policy = {}): World {
  const world = createPeer(first, { missingKeyRetryMs: RETRY_MS, ...policy })
  const { load } = world.metastore
  const reads = new Map<string, number>()
  world.metastore.load = async (keyId, created, options) => {
    const row = await load(keyId, created, options)
    const read = (reads.get(keyId) ?? 0) + 1
    reads.set(keyId, read)
    return keyId.startsWith(prefix) && read <= misses ? null : row
  }
  return world
}

describe('D-053 a replica that lags behind', () => {
  it.each(['_IK_', '_SK_'])(
    'D-053 an exact key that is not there yet is read once more, and found: %s',
    async (prefix) => {
      const first = createWorld()
      const record = await first.factory.getSession('p').encrypt(PLAINTEXT)
      const world = lagging(first, prefix, 1)
      expect(textOf(await world.factory.getSession('p').decrypt(record))).toBe('4111 1111')
      expect(world.metastore.count('load')).toBe(3)
    },
  )

  it('D-053 by default it waits long enough for a lag of 200 ms', async () => {
    const first = createWorld()
    const record = await first.factory.getSession('p').encrypt(PLAINTEXT)
    const metastore = createFakeMetastore({ rows: first.rows })
    const { load } = metastore
    const start = performance.now()
    metastore.load = async (...given) => (performance.now() < start + 200 ? null : load(...given))
    const factory = new SessionFactory({ ...minimalOptions(), metastore, kms: first.kms, clock: first.clock })
    expect(textOf(await factory.getSession('p').decrypt(record))).toBe('4111 1111')
  })

  it('D-053 no key is made only since a replica misses the system key: the intermediate key goes on writing', async () => {
    const first = createWorld()
    const record = await first.factory.getSession('p').encrypt(PLAINTEXT)
    const world = lagging(first, SYSTEM_KEY_ID, 1)
    expect(parentOf(await world.factory.getSession('p').encrypt(PLAINTEXT))).toEqual(parentOf(record))
    expect(first.rows.all()).toHaveLength(2)
  })

  it('D-053 one retry, not more: a key that is still not there is missing', async () => {
    const first = createWorld()
    const record = await first.factory.getSession('p').encrypt(PLAINTEXT)
    const world = lagging(first, '_IK_', 2)
    await expect(world.factory.getSession('p').decrypt(record)).rejects.toBeInstanceOf(KeyNotFoundError)
    expect(world.metastore.count('load')).toBe(2)
  })

  it('a row that was here and has vanished is no lag: it is missing at once', async () => {
    const world = createWorld({ missingKeyRetryMs: 60_000 })
    const session = world.factory.getSession('p')
    const record = await session.encrypt(PLAINTEXT)
    world.clock.advance(HOUR)
    world.rows.remove(parentOf(record))
    await expect(session.decrypt(record)).rejects.toBeInstanceOf(KeyNotFoundError)
  })

  it('an abort ends the wait', async () => {
    const first = createWorld()
    const record = await first.factory.getSession('p').encrypt(PLAINTEXT)
    const world = lagging(first, '_IK_', 1, { missingKeyRetryMs: 60_000 })
    const abort = new AbortController()
    const reading = world.factory.getSession('p').decrypt(record, { signal: abort.signal })
    setTimeout(() => abort.abort(), 10)
    await expect(reading).rejects.toBeInstanceOf(AbortedError)
    await world.factory.close()
  })

  it('candidates of region recovery, which likely are not there, are not waited for', async () => {
    const first = createWorld()
    const record = await first.factory.getSession('p').encrypt(PLAINTEXT)
    const { created } = parentOf(record)
    const metastore = createFakeMetastore({ rows: first.rows, regionSuffix: 'b' })
    const policy = { missingKeyRetryMs: RETRY_MS }
    const recoveryRegionSuffixes = ['c', 'd', 'e']
    const world = createWorld(policy, { metastore, kms: first.kms, clock: first.clock }, { recoveryRegionSuffixes })
    const session = world.factory.getSession('p')
    const { key, data } = record
    const named = { ...record, data, key: { ...key, parentKeyMeta: { keyId: `${intermediateKeyId('p')}_b`, created } } }
    expect(textOf(await session.decrypt(named))).toBe('4111 1111')
    // The named id twice, then the bare id: found at once.
    expect(metastore.calls.filter(({ keyId }) => keyId.startsWith('_IK_')).map(({ keyId }) => keyId)).toEqual([
      `${intermediateKeyId('p')}_b`,
      `${intermediateKeyId('p')}_b`,
      intermediateKeyId('p'),
    ])
  })

  it.each([[-1], [Number.NaN], [60_001], ['1']])('missingKeyRetryMs %s is refused', (missingKeyRetryMs) => {
    const options = { ...minimalOptions(), policy: { missingKeyRetryMs } }
    expect(() => Reflect.construct(SessionFactory, [options])).toThrow(InvalidConfigError)
  })
})

describe('cacheSystemKeys: false', () => {
  it('a re-check of cached intermediate keys reads the system key row, and asks the KMS nothing', async () => {
    const world = createWorld({ cacheSystemKeys: false, sharedIntermediateKeyCache: true })
    const sessions = ['a', 'b'].map((id) => world.factory.getSession(id))
    for (const session of sessions) await session.encrypt(PLAINTEXT)
    world.kms.decrypted.length = 0
    for (let i = 0; i < 5; i += 1) {
      world.clock.advance(HOUR)
      for (const session of sessions) await session.encrypt(PLAINTEXT)
    }
    expect(world.kms.decrypted).toEqual([])
    expect(world.metastore.count('load', SYSTEM_KEY_ID)).toBeGreaterThanOrEqual(10)
    expect(world.rows.all()).toHaveLength(3)
  })

  it('a revoked or vanished system key is noticed all the same', async () => {
    for (const end of ['revoke', 'remove'] as const) {
      const world = createWorld({ cacheSystemKeys: false })
      const session = world.factory.getSession('p')
      const before = await session.encrypt(PLAINTEXT)
      const [systemKey] = world.rows.of(SYSTEM_KEY_ID)
      if (systemKey === undefined) throw new Error('no system key')
      world.rows[end](systemKey)
      world.clock.advance(HOUR)
      const after = await session.encrypt(PLAINTEXT)
      expect(parentOf(after)).not.toEqual(parentOf(before))
    }
  })
})
