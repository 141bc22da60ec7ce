import { describe, expect, it } from 'vitest'
import { createCryptoPolicy } from '../src/index.ts'
import { createKmsCalls, createMetastoreCalls } from '../src/internal/backend-calls.ts'
import { createFreshnessRules } from '../src/internal/freshness.ts'
import { releaseKey } from '../src/internal/key-entry.ts'
import { createKeyHierarchy } from '../src/internal/key-hierarchy.ts'
import { createOperations } from '../src/internal/operations.ts'
import { createRotationQueue } from '../src/internal/rotation-queue.ts'
import { createUsageCounters } from '../src/internal/usage-counters.ts'
import { createFactoryIds } from '../src/partition.ts'
import { createWorld, HOUR } from './fakes.ts'

describe('createUsageCounters', () => {
  it('gives one record for one key, as long as it is remembered', () => {
    const usageOf = createUsageCounters()
    usageOf('1|a').count += 5
    expect(usageOf('1|a').count).toBe(5)
    expect(usageOf('2|a').count).toBe(0)
  })

  it('is bounded: what was not asked for the longest is forgotten', () => {
    const usageOf = createUsageCounters()
    usageOf('first').count = 1
    usageOf('second').count = 2
    for (let i = 0; i < 65_534; i += 1) usageOf(`${i}`)
    expect(usageOf('first').count).toBe(1)
    usageOf('one more')
    expect(usageOf('first').count).toBe(1)
    expect(usageOf('second').count).toBe(0)
  })
})

describe('D-099 the count of a key that writes', () => {
  it('D-099 is kept by the key while it is cached, also when the bounded map has forgotten it', async () => {
    const { clock, metastore, kms, crypto } = createWorld()
    const policy = createCryptoPolicy({ revokeCheckIntervalMs: HOUR, keyReloadJitter: 0 })
    const ids = createFactoryIds({
      service: 's',
      product: 'p',
      regionSuffix: undefined,
      recoveryRegionSuffixes: [],
      strictIds: false,
    })
    const { intermediateKeys: keys } = createKeyHierarchy({
      policy,
      clock,
      freshness: createFreshnessRules(policy, clock),
      metastore: createMetastoreCalls(metastore),
      operations: createOperations('test'),
      rotations: createRotationQueue(),
      usageOf: () => ({ count: 0, notifiedAt: 0, rotation: undefined }),
      ids,
      crypto,
      kms: createKmsCalls(kms),
    })
    const cache = keys.createCache()
    const { intermediateKeyId } = ids.partition('hot')
    const first = await keys.latest(cache, intermediateKeyId, {})
    first.usage.count = 19
    releaseKey(first.entry)
    clock.advance(HOUR)
    metastore.forget()
    const again = await keys.latest(cache, intermediateKeyId, {})
    expect(metastore.count('loadLatest')).toBe(1)
    expect(again.usage.count).toBe(19)
  })
})
