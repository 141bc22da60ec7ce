import { describe, expect, it } from 'vitest'
import type { CryptoPolicyOptions, DataRowRecord, EnvelopeKeyRecord } from '../src/index.ts'
import {
  createPeer,
  createWorld,
  HOUR,
  intermediateKeyId,
  MINUTE,
  PLAINTEXT,
  parentOf,
  SYSTEM_KEY_ID,
  settle,
} from './fakes.ts'

const INTERVAL = HOUR
const FACTORIES = 8
const STEP = 5 * MINUTE

/** Caches and reads of every kind: none may postpone the check of writes. */
const MIXES: readonly (readonly [name: string, policy: CryptoPolicyOptions])[] = [
  ['a cache for each session', {}],
  ['a shared cache', { sharedIntermediateKeyCache: true }],
  ['cached sessions', { cacheSessions: true }],
  ['no cached system keys', { cacheSystemKeys: false, sharedIntermediateKeyCache: true }],
  ['jitter', { keyReloadJitter: 0.5, sharedIntermediateKeyCache: true }],
  ['queued rotation', { rotation: 'queued', sharedIntermediateKeyCache: true }],
]
const STALE: CryptoPolicyOptions = { staleWhileRevalidate: true }
const GRACE: CryptoPolicyOptions = { staleGraceMs: 20 * MINUTE }

/** When the last write under a revoked key was, in ms after the revocation, over factories that began at different times. */
async function lastWrite(policy: CryptoPolicyOptions, which: 'ik' | 'sk', outage: boolean): Promise<number> {
  const all = { revokeCheckIntervalMs: INTERVAL, ...policy }
  const first = createWorld(all)
  const { clock, rows } = first
  const old: DataRowRecord = await first.factory.getSession('p').encrypt(PLAINTEXT)
  const worlds = [first, ...Array.from({ length: FACTORIES - 1 }, () => createPeer(first, all))]
  const sessions = worlds.map(({ factory }) => ({
    writer: factory.getSession('p'),
    reader: factory.getSession('p'),
    other: factory.getSession('q'),
  }))
  const use = async (): Promise<DataRowRecord[]> => {
    const records: DataRowRecord[] = []
    for (const [i, { writer, reader, other }] of sessions.entries()) {
      // A mix of reads that differs from factory to factory: of the same key, of another partition's, or none.
      if (i % 3 === 1) for (let n = 0; n < 5; n += 1) await reader.decrypt(old).catch(ignore)
      if (i % 3 === 2) await other.encrypt(PLAINTEXT).catch(ignore)
      const record = await writer.encrypt(PLAINTEXT).catch(ignore)
      if (record !== undefined) records.push(record)
    }
    return records
  }
  for (const session of sessions) {
    await session.writer.encrypt(PLAINTEXT)
    clock.advance(STEP)
  }
  const revoked = rows.of(which === 'ik' ? intermediateKeyId('p') : SYSTEM_KEY_ID)[0]
  if (revoked === undefined) throw new Error('no key to revoke')
  rows.revoke(revoked)
  if (outage) for (const { metastore } of worlds) metastore.before = () => Promise.reject(new Error('down'))
  let last = -1
  for (let since = 0; since <= 4 * INTERVAL; since += STEP) {
    await settle()
    const uses = (row: EnvelopeKeyRecord | undefined): boolean =>
      row?.created === revoked.created && (which === 'ik' || row.keyId === revoked.keyId)
    for (const record of await use()) {
      const { keyId, created } = parentOf(record)
      const ik = rows.get(keyId, created)
      const sk = ik?.parentKeyMeta && rows.get(ik.parentKeyMeta.keyId, ik.parentKeyMeta.created)
      if (uses(which === 'ik' ? ik : sk)) last = since
    }
    clock.advance(STEP)
  }
  for (const { factory } of worlds) await factory.close()
  return last
}

function ignore(): undefined {}

describe('D-011 D-014 a revocation reaches the writes of every factory', () => {
  const kinds = MIXES.flatMap(([name, policy]) => (['ik', 'sk'] as const).map((which) => ({ name, policy, which })))

  it.each(kinds)('within one interval: $which, $name', async ({ policy, which }) => {
    const last = await lastWrite(policy, which, false)
    expect(last).toBeGreaterThanOrEqual(0) // the factories did write with it until they checked
    expect(last).toBeLessThan(INTERVAL)
  })

  it.each(kinds)('within two with staleWhileRevalidate: $which, $name', async ({ policy, which }) => {
    expect(await lastWrite({ ...policy, ...STALE }, which, false)).toBeLessThan(2 * INTERVAL)
  })

  it.each(kinds)(
    'staleGraceMs later at the most, while the store is down: $which, $name',
    async ({ policy, which }) => {
      const last = await lastWrite({ ...policy, ...GRACE }, which, true)
      expect(last).toBeLessThan(INTERVAL + 20 * MINUTE)
      const both = await lastWrite({ ...policy, ...STALE, ...GRACE }, which, true)
      expect(both).toBeLessThan(2 * INTERVAL + 20 * MINUTE)
    },
  )

  it.each(kinds)(
    'within one interval while the store is down, without grace: $which, $name',
    async ({ policy, which }) => {
      expect(await lastWrite(policy, which, true)).toBeLessThan(INTERVAL)
    },
  )
})
