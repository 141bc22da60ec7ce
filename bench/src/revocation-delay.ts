import { setTimeout as delay } from 'node:timers/promises'
import { type CryptoPolicyOptions, SessionFactory } from '@asherah/core'
import { createInsecureTestKms } from '@asherah/kms-static'
import { createMemoryMetastore } from '@asherah/metastore-memory'

/** How long factories that share a metastore go on writing under a key after it was revoked: real time, a short interval. */

const INTERVAL_MS = 4_000
const FACTORIES = 8
const EVERY_MS = 20
const POLICIES: readonly (readonly [name: string, policy: CryptoPolicyOptions])[] = [
  ['default', {}],
  ['`staleWhileRevalidate`', { staleWhileRevalidate: true }],
  ['metastore down, `staleGraceMs` of half an interval', { staleGraceMs: INTERVAL_MS / 2 }],
]

const rows: string[] = []
for (const [name, policy] of POLICIES) {
  for (const which of ['intermediate key', 'system key'] as const) {
    const delays = await lastWrites(policy, which, policy.staleGraceMs !== undefined)
    const share = (ms: number): string => (ms / INTERVAL_MS).toFixed(2)
    rows.push(`| ${name} | ${which} | ${share(Math.min(...delays))} | ${share(Math.max(...delays))} |`)
  }
}
process.stdout.write(
  [
    `${FACTORIES} factories that began at random times, one write each ${EVERY_MS} ms, interval ${INTERVAL_MS} ms. Last write under the revoked key, in intervals after the revocation:`,
    '',
    '| policy | revoked | first factory | last factory |',
    '|---|---|--:|--:|',
    ...rows,
    '',
  ].join('\n'),
)

/** For each factory, ms from the revocation to its last write under the key. */
async function lastWrites(policy: CryptoPolicyOptions, which: string, outage: boolean): Promise<number[]> {
  const metastore = createMemoryMetastore()
  let down = false
  const flaky: typeof metastore = {
    ...metastore,
    load: (...given) => (down ? Promise.reject(new Error('down')) : metastore.load(...given)),
    loadLatest: (...given) => (down ? Promise.reject(new Error('down')) : metastore.loadLatest(...given)),
  }
  const kms = createInsecureTestKms()
  const factories = Array.from(
    { length: FACTORIES },
    () =>
      new SessionFactory({
        service: 'service',
        product: 'product',
        metastore: flaky,
        kms,
        policy: { revokeCheckIntervalMs: INTERVAL_MS, keyReloadJitter: 0, ...policy },
      }),
  )
  const sessions = factories.map((factory) => factory.getSession('partition'))
  for (const session of sessions) {
    await session.encrypt(new Uint8Array(1))
    await delay(Math.random() * (INTERVAL_MS / FACTORIES))
  }
  const revoked = await metastore.loadLatest(
    which === 'system key' ? '_SK_service_product' : '_IK_partition_service_product',
  )
  if (revoked === null) throw new Error('there is no key to revoke')
  await metastore.markRevoked(revoked.keyId, revoked.created)
  down = outage
  const start = performance.now()
  const last = sessions.map(() => 0)
  while (performance.now() - start < 2.6 * INTERVAL_MS) {
    for (const [i, session] of sessions.entries()) {
      const before = performance.now()
      try {
        const { keyId, created } = (await session.encrypt(new Uint8Array(1))).key.parentKeyMeta
        const parent = (await metastore.load(keyId, created))?.parentKeyMeta
        const used = which === 'system key' ? parent : { keyId, created }
        if (used?.created === revoked.created) last[i] = before - start
      } catch {
        // While the metastore is down and the grace is over: nothing is written.
      }
    }
    await delay(EVERY_MS)
  }
  for (const factory of factories) await factory.close()
  return last
}
