import { describe, expect, it } from 'vitest'
import { type CryptoPolicyOptions, createCryptoPolicy } from '../src/index.ts'
import { backOffMs, createFreshnessRules } from '../src/internal/freshness.ts'
import { bytesOf, createFakeClock, createWorld, HOUR, MINUTE, SECOND } from './fakes.ts'

const INTERVAL = HOUR

function rulesOf(policy: CryptoPolicyOptions, random: () => number = () => 0) {
  const clock = createFakeClock()
  const options = { revokeCheckIntervalMs: INTERVAL, keyReloadJitter: 0, ...policy }
  return { clock, rules: createFreshnessRules(createCryptoPolicy(options), clock, random) }
}

describe('states', () => {
  it('fresh up to the end of the interval, then to be waited for', () => {
    const { clock, rules } = rulesOf({})
    const age = rules.since(rules.now())
    clock.advance(INTERVAL - 1)
    expect(rules.state(age)).toBe('fresh')
    clock.advance(1)
    expect(rules.state(age)).toBe('wait')
  })

  it('staleWhileRevalidate: a second interval, and no more', () => {
    const { clock, rules } = rulesOf({ staleWhileRevalidate: true })
    const age = rules.since(rules.now())
    clock.advance(INTERVAL)
    expect(rules.state(age)).toBe('revalidate')
    clock.advance(INTERVAL - 1)
    expect(rules.state(age)).toBe('revalidate')
    clock.advance(1)
    expect(rules.state(age)).toBe('wait')
  })

  it('the wall clock does not matter', () => {
    const { clock, rules } = rulesOf({})
    const age = rules.since(rules.now())
    clock.step(1_000 * INTERVAL)
    expect(rules.state(age)).toBe('fresh')
    clock.step(-2_000 * INTERVAL)
    clock.advance(INTERVAL)
    expect(rules.state(age)).toBe('wait')
  })

  it('a failed re-check without grace does not lengthen the use of an entry', () => {
    const { clock, rules } = rulesOf({})
    const age = rules.since(rules.now())
    clock.advance(INTERVAL)
    rules.fail(age)
    expect(rules.inGrace(age)).toBe(false)
    expect(rules.state(age)).toBe('wait')
  })

  it('a failed re-check with grace: until the next retry, and not past the grace', () => {
    const { clock, rules } = rulesOf({ staleGraceMs: 3 * SECOND })
    const age = rules.since(rules.now())
    clock.advance(INTERVAL)
    expect(rules.inGrace(age)).toBe(false) // nothing has failed yet
    rules.fail(age)
    expect(rules.state(age)).toBe('grace')
    clock.advance(SECOND)
    expect(rules.state(age)).toBe('wait')
    rules.fail(age)
    clock.advance(2 * SECOND - 1)
    expect(rules.state(age)).toBe('grace')
    clock.advance(1)
    expect(rules.inGrace(age)).toBe(false)
    expect(rules.state(age)).toBe('wait')
  })

  it('a re-check that an interval shortened by jitter made early may fail up to the end of the whole interval', () => {
    const { clock, rules } = rulesOf({ keyReloadJitter: 0.5 }, () => 1)
    const age = rules.since(rules.now())
    clock.advance(INTERVAL / 2)
    expect(rules.state(age)).toBe('wait')
    rules.fail(age)
    expect(rules.inGrace(age)).toBe(true)
    clock.advance(INTERVAL / 2)
    expect(rules.inGrace(age)).toBe(false)
  })

  it('a successful read ends the failures', () => {
    const { clock, rules } = rulesOf({ staleGraceMs: HOUR })
    const age = rules.since(rules.now())
    clock.advance(INTERVAL)
    rules.fail(age)
    rules.fail(age)
    rules.refresh(age, rules.now())
    expect(age.failures).toBe(0)
    expect(rules.state(age)).toBe('fresh')
  })

  it('a read that began earlier than the last one shortens nothing', () => {
    const { clock, rules } = rulesOf({})
    const early = rules.now()
    clock.advance(MINUTE)
    const age = rules.since(rules.now())
    const until = age.freshUntil
    rules.refresh(age, early)
    expect(age.freshUntil).toBe(until)
  })

  it('D-027 an interval of 0 is never fresh, one of Infinity always', () => {
    const never = rulesOf({ revokeCheckIntervalMs: 0, staleWhileRevalidate: true })
    expect(never.rules.state(never.rules.since(never.rules.now()))).toBe('wait')
    const always = rulesOf({ revokeCheckIntervalMs: Number.POSITIVE_INFINITY, keyReloadJitter: 1 })
    const age = always.rules.since(always.rules.now())
    always.clock.advance(1e12)
    expect(always.rules.state(age)).toBe('fresh')
  })

  it('back-off: 1 s doubling to 30 s', () => {
    expect([1, 2, 3, 4, 5, 6, 7, 100, 5_000].map(backOffMs)).toEqual(
      [1, 2, 4, 8, 16, 30, 30, 30, 30].map((seconds) => seconds * SECOND),
    )
  })
})

describe('D-028 jitter', () => {
  it('D-028 shortens, never lengthens, by at most its share', () => {
    for (const share of [0, 0.1, 1]) {
      for (const random of [0, 0.3, 0.999_999]) {
        const { rules } = rulesOf({ keyReloadJitter: share }, () => random)
        const age = rules.since(1_000)
        expect(age.freshUntil).toBeLessThanOrEqual(1_000 + INTERVAL)
        expect(age.freshUntil).toBeGreaterThanOrEqual(1_000 + INTERVAL * (1 - share))
      }
    }
  })

  it('D-028 each entry draws its own', () => {
    let draws = 0
    const { rules } = rulesOf({ keyReloadJitter: 0.1 }, () => {
      draws += 1
      return draws / 100
    })
    const until = new Set(Array.from({ length: 50 }, () => rules.since(0).freshUntil))
    expect(until.size).toBe(50)
  })

  it('D-028 1,000 keys of one tick: their re-checks spread over 5 % of the interval and more, one at a time each', async () => {
    const world = createWorld({
      revokeCheckIntervalMs: INTERVAL,
      keyReloadJitter: 0.1,
      sharedIntermediateKeyCache: true,
    })
    const sessions = Array.from({ length: 1_000 }, (_, i) => world.factory.getSession(`p${i}`))
    for (const session of sessions) await session.encrypt(bytesOf('x'))
    world.metastore.forget()
    const inFlight = new Map<string, number>()
    let most = 0
    world.metastore.before = ({ keyId }) => {
      inFlight.set(keyId, (inFlight.get(keyId) ?? 0) + 1)
      most = Math.max(most, inFlight.get(keyId) ?? 0)
    }
    world.metastore.after = ({ keyId }) => {
      inFlight.set(keyId, (inFlight.get(keyId) ?? 0) - 1)
    }
    // One step is a hundredth of the interval. In each, every partition writes five times at once.
    world.clock.advance(INTERVAL * 0.89)
    const perStep: number[] = []
    for (let step = 89; step < 101; step += 1) {
      const before = world.metastore.count('loadLatest')
      await Promise.all(sessions.flatMap((session) => Array.from({ length: 3 }, () => session.encrypt(bytesOf('x')))))
      perStep.push(world.metastore.count('loadLatest') - before)
      world.clock.advance(INTERVAL / 100)
    }
    expect(perStep[0]).toBe(0)
    expect(perStep.reduce((sum, n) => sum + n, 0)).toBe(1_000)
    // A tenth of the keys is expected in each of ten steps; none has more than a quarter.
    expect(perStep.filter((n) => n > 0).length).toBeGreaterThanOrEqual(5)
    expect(Math.max(...perStep)).toBeLessThan(250)
    expect(most).toBe(1)
  })
})
