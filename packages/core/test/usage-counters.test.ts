import { describe, expect, it } from 'vitest'
import { createUsageCounters } from '../src/internal/usage-counters.ts'
import { bytesOf, createWorld, HOUR, parentOf } from './fakes.ts'

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
  it('D-099 is not lost while the key is cached, however many other keys there are', async () => {
    const world = createWorld({ maxUsesPerKey: 20, revokeCheckIntervalMs: HOUR, systemKeyCacheMaxSize: 2 })
    const session = world.factory.getSession('hot')
    const first = parentOf(await session.encrypt(bytesOf('x')))
    for (let i = 1; i < 19; i += 1) await session.encrypt(bytesOf('x'))
    // 70,000 other partitions write in the same hour; each is remembered, and the hot key was asked for before them all.
    const { rows } = world
    const row = rows.get(first.keyId, first.created)
    if (row === undefined) throw new Error('the row of the first key')
    for (let i = 0; i < 66_000; i += 1) {
      rows.put({ ...row, keyId: `_IK_p${i}_svc_prod` })
      const other = world.factory.getSession(`p${i}`)
      await other.encrypt(bytesOf('x'))
      other.close()
      rows.remove({ keyId: `_IK_p${i}_svc_prod`, created: first.created })
    }
    world.clock.advance(HOUR)
    expect(parentOf(await session.encrypt(bytesOf('x')))).toEqual(first)
    expect(parentOf(await session.encrypt(bytesOf('x'))).created).toBeGreaterThan(first.created)
  })
})
