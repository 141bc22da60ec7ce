import { randomInt } from 'node:crypto'
import type { Session, SessionFactory } from '@asherah/core'
import { AsherahError } from '@asherah/core/backend'
import { describeService } from '@asherah/testing'
import { type HttpFault, startDynamoDbLocal, startHttpFaultProxy } from '@asherah/testing/services'
import { expect, test } from 'vitest'
import { decryptOnce, factoryOf, parentOf, replication } from './regions.ts'
import { createTable } from './tables.ts'

const OPERATIONS = 1_000
/** None that waits for a time-out: one short enough here would also end requests that are only slow. */
const OUTAGES: readonly HttpFault[] = [
  { kind: 'reset' },
  { kind: 'status', status: 503 },
  { kind: 'awsError', type: 'InternalServerError', status: 500 },
]
const NAMES = ['us-east-1', 'us-west-2', 'eu-west-1']

interface Written {
  readonly region: string
  readonly partition: string
  readonly plaintext: string
  readonly record: string
  /** Its keys have reached every region. */
  replicated: boolean
}

describeService('three regions', await startDynamoDbLocal(), (endpoint) => {
  test('each fails in turn at random, with lag, rotation and restarts: no wrong plaintext, nothing acknowledged is lost', async () => {
    const [first, ...others] = NAMES
    const home = await createTable(endpoint, { region: first ?? '' })
    const { tableName } = home
    const tables = [home, ...(await Promise.all(others.map((region) => createTable(endpoint, { region, tableName }))))]
    const sync = replication(...tables)
    let nowMs = 1_795_251_390_000
    const clock = { now: () => nowMs, monotonicMs: () => nowMs }
    const options = {
      clock,
      recoveryRegionSuffixes: NAMES,
      policy: { expireAfterMs: 1_200_000, revokeCheckIntervalMs: 200_000, missingKeyRetryMs: 0 },
    }

    const regions = await Promise.all(
      tables.map(async (table) => {
        const proxy = await startHttpFaultProxy(endpoint.url)
        const metastore = table.metastore({ regionSuffix: true, endpoint: proxy.url, maxAttempts: 2 })
        let factory: SessionFactory = factoryOf(metastore, options)
        return {
          table,
          proxy,
          session: (partition: string): Session => factory.getSession(partition),
          async restart(): Promise<void> {
            await factory.close()
            factory = factoryOf(metastore, options)
          },
          async close(): Promise<void> {
            await factory.close()
            await metastore.close()
            await proxy.close()
          },
        }
      }),
    )
    const written: Written[] = []
    const failures = new Map<string, number>()
    let down: string | undefined

    const catchUp = async (): Promise<void> => {
      await sync.catchUp(pick(tables))
      for (const one of written) one.replicated = true
    }
    const codeOf = (error: unknown): string => {
      if (!(error instanceof AsherahError)) throw error
      failures.set(error.code, (failures.get(error.code) ?? 0) + 1)
      return error.code
    }

    for (let i = 0; i < OPERATIONS; i++) {
      nowMs += randomInt(10_000)
      const here = pick(regions)
      if (i % 25 === 0) {
        for (const { proxy } of regions) proxy.setFault(undefined)
        if (down === undefined) await catchUp()
        const next = randomInt(4) === 0 ? undefined : pick(regions)
        next?.proxy.setFault(pick(OUTAGES))
        down = next?.table.region
      }
      if (randomInt(100) === 0) await here.restart()
      if (written.length === 0 || randomInt(2) === 0) {
        const partition = `shopper-${randomInt(5)}`
        const { region } = here.table
        using session = here.session(partition)
        const plaintext = `${i} of ${partition} by ${region}`
        try {
          const record = await session.encryptToJson(Buffer.from(plaintext))
          expect(parentOf(record).KeyId).toBe(`_IK_${partition}_billing_shop_${region}`)
          written.push({ region, partition, plaintext, record, replicated: false })
        } catch (error) {
          expect(codeOf(error)).toBe('ERR_ASHERAH_METASTORE')
          expect(region, 'a region that is up').toBe(down)
        }
      } else {
        const one = pick(written)
        using session = here.session(one.partition)
        try {
          expect(Buffer.from(await session.decrypt(one.record)).toString()).toBe(one.plaintext)
        } catch (error) {
          const code = codeOf(error)
          if (code === 'ERR_ASHERAH_KEY_NOT_FOUND') {
            expect([one.replicated, one.region === here.table.region], 'a key that is here').toEqual([false, false])
          } else {
            expect([code, here.table.region]).toEqual(['ERR_ASHERAH_METASTORE', down])
          }
        }
      }
    }

    for (const { proxy } of regions) proxy.setFault(undefined)
    await catchUp()
    expect(written.length).toBeGreaterThan(OPERATIONS / 4)
    expect([...failures.keys()].toSorted()).toEqual(['ERR_ASHERAH_KEY_NOT_FOUND', 'ERR_ASHERAH_METASTORE'])
    for (const table of tables) {
      await using metastore = table.metastore({ regionSuffix: true })
      await using factory = factoryOf(metastore, options)
      for (const { partition, plaintext, record } of written) {
        using session = factory.getSession(partition)
        expect(Buffer.from(await session.decrypt(record)).toString()).toBe(plaintext)
      }
      const [oldest] = written
      if (oldest) expect(await decryptOnce(metastore, oldest.record, options, oldest.partition)).toBe(oldest.plaintext)
    }
    for (const region of regions) await region.close()
    for (const table of tables) await table.drop()
  }, 120_000)
})

function pick<T>(list: readonly T[]): T {
  const found = list[randomInt(list.length)]
  if (found === undefined) throw new Error('nothing to pick from')
  return found
}
