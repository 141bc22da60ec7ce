import { SessionFactory } from '@asherah/core'
import { createStaticKms } from '@asherah/kms-static'
import { createFakeClock, createMetastoreFaults, faultyMetastore } from '@asherah/testing/tools'
import { expect, test, vi } from 'vitest'
import { connect, startStandIn } from './stand-in.ts'

const server = await startStandIn()
const kms = createStaticKms({ masterKeyHex: '0123456789abcdef'.repeat(4) })
/** Stands still: no minute turns while keys are made. */
const clock = createFakeClock({ now: Date.UTC(2026, 0, 1) })
const PARTITIONS = Array.from({ length: 12 }, (_, i) => `partition ${i}`)
const text = (partition: string): Uint8Array => new TextEncoder().encode(`of ${partition}`)

test('factories that make keys at once, through deadlocks and lost answers, share one key each (D-016)', async () => {
  for (const [skip, when] of [
    [1, 'after'],
    [4, 'before'],
    [7, 'after'],
    [9, 'before'],
  ] as const) {
    server.faults.onStatement({ match: /^INSERT/, skip, when, what: 'drop' })
  }
  const deadlock = { number: 1205, message: 'deadlock', severity: 13 }
  server.faults.onStatement({ match: /^INSERT/, skip: 2, times: 3, what: { error: deadlock } })
  server.faults.onStatement({ match: /^SELECT TOP/, skip: 5, times: 5, what: { error: deadlock } })
  server.faults.onStatement({ match: /^INSERT/, skip: 12, times: 4, what: { delayMs: 30 } })

  const factories = Array.from({ length: 3 }, () => {
    const metastore = connect(server)
    return new SessionFactory({ service: 'service', product: 'product', metastore, kms, clock })
  })
  const records = await Promise.all(
    factories.flatMap((factory) =>
      PARTITIONS.map(async (partition) => {
        const session = factory.getSession(partition)
        return { partition, record: JSON.stringify(await session.encrypt(text(partition))) }
      }),
    ),
  )
  for (const factory of factories) await factory.close()
  const ids = server.run('Keys', 'SELECT id FROM dbo.encryption_key ORDER BY id').map(([id]) => id)
  const expected = ['_SK_service_product', ...PARTITIONS.map((p) => `_IK_${p}_service_product`)]
  expect(ids.toSorted()).toEqual(expected.toSorted())

  const reader = new SessionFactory({ service: 'service', product: 'product', metastore: connect(server), kms, clock })
  for (const { partition, record } of records) {
    expect(await reader.getSession(partition).decrypt(record)).toEqual(text(partition))
  }
  await reader.close()
})

test('a store whose answer is lost above the metastore, and then a lagging read, harm no key (D-053)', async () => {
  const faults = createMetastoreFaults()
  const metastore = faultyMetastore(connect(server), faults)
  const factory = new SessionFactory({ service: 'wrapped', product: 'product', metastore, kms, clock })
  faults.store.loseAnswer({ nth: 1 })
  faults.lag(100)
  const session = factory.getSession('p')
  // Until the row is seen again, an error and no second key.
  const encrypted = await vi.waitFor(() => session.encrypt(text('p')))
  expect(server.run('Keys', "SELECT COUNT(*) AS n FROM dbo.encryption_key WHERE id = N'_SK_wrapped_product'")).toEqual([
    [1n],
  ])
  await factory.close()
  const reader = new SessionFactory({ service: 'wrapped', product: 'product', metastore: connect(server), kms, clock })
  expect(await reader.getSession('p').decrypt(JSON.stringify(encrypted))).toEqual(text('p'))
  await reader.close()
})
