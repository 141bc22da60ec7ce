import { describe, expect, it } from 'vitest'
import {
  AbortedError,
  ClosedError,
  InvalidConfigError,
  InvalidInputError,
  KmsError,
  MetastoreError,
} from '../src/index.ts'
import { createDeferred, createPeer, createWorld, intermediateKeyId, PLAINTEXT, parentOf, settle } from './fakes.ts'
import { promiseOf, rejectionOf } from './harness.ts'

const SHARED = { sharedIntermediateKeyCache: true }
const idsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `p${i}`)

describe('factory.warm', () => {
  it.each([
    ['a shared key cache', SHARED],
    ['cached sessions', { cacheSessions: true }],
  ])('loads the keys of known partitions, so that their first encrypts ask nobody: %s', async (_, policy) => {
    const first = createWorld()
    for (const id of idsOf(20)) await first.factory.getSession(id).encrypt(PLAINTEXT)
    const world = createPeer(first, policy)
    expect(await world.factory.warm(idsOf(20))).toEqual(idsOf(20).map((partitionId) => ({ partitionId, ok: true })))
    world.metastore.forget()
    for (const id of idsOf(20)) {
      const record = await world.factory.getSession(id).encrypt(PLAINTEXT)
      expect(first.rows.of(intermediateKeyId(id))).toHaveLength(1)
      expect(parentOf(record).keyId).toBe(intermediateKeyId(id))
    }
    expect(world.metastore.calls).toEqual([])
    expect(world.factory.stats().openKeys).toEqual({ systemKeys: 1, intermediateKeys: 20 })
  })

  it('makes the keys of new partitions, as their first encrypts would', async () => {
    const world = createWorld(SHARED)
    await world.factory.warm(['new'])
    expect(world.rows.of(intermediateKeyId('new'))).toHaveLength(1)
  })

  it('runs no more at once than it may, takes any iterable, and asks it for an id when one is due', async () => {
    const world = createWorld(SHARED)
    await world.factory.warm(['p0'])
    const gate = createDeferred()
    world.metastore.before = () => gate.promise
    world.metastore.forget()
    let given = 0
    function* ids(): Generator<string> {
      for (const id of idsOf(50).slice(1)) {
        given += 1
        yield id
      }
    }
    const warming = world.factory.warm(ids(), { concurrency: 3 })
    await settle()
    expect(world.metastore.calls).toHaveLength(3)
    expect(given).toBe(3)
    expect(world.factory.stats().operations).toBe(3)
    gate.resolve()
    expect(await warming).toHaveLength(49)
  })

  it('one partition that fails is its own outcome, with its typed error', async () => {
    const world = createWorld(SHARED)
    await world.factory.warm(['a'])
    world.metastore.before = ({ keyId }) => {
      if (keyId === intermediateKeyId('b')) throw new Error('down')
    }
    const outcomes = await world.factory.warm(['b', '', 'c'])
    expect(outcomes.map(({ partitionId, ok }) => [partitionId, ok])).toEqual([
      ['b', false],
      ['', false],
      ['c', true],
    ])
    const errors = outcomes.map((outcome) => (outcome.ok ? undefined : outcome.error))
    expect(errors[0]).toBeInstanceOf(MetastoreError)
    expect(errors[1]).toBeInstanceOf(InvalidInputError)
  })

  it('a KMS that is down fails each, and once it is back the same call succeeds', async () => {
    const world = createWorld(SHARED)
    world.kms.before = () => {
      throw new Error('down')
    }
    for (const outcome of await world.factory.warm(idsOf(3))) {
      expect(outcome).toMatchObject({ ok: false, error: expect.any(KmsError) })
    }
    world.kms.before = undefined
    for (const outcome of await world.factory.warm(idsOf(3))) expect(outcome.ok).toBe(true)
  })

  it('after an abort the rest have an AbortedError, and what was loaded stays', async () => {
    const world = createWorld(SHARED)
    const abort = new AbortController()
    const gate = createDeferred()
    world.metastore.before = ({ keyId }) => (keyId === intermediateKeyId('p2') ? gate.promise : undefined)
    const warming = world.factory.warm(idsOf(5), { concurrency: 1, signal: abort.signal })
    await settle()
    abort.abort()
    const outcomes = await warming
    gate.resolve()
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, false, false, false])
    for (const outcome of outcomes.slice(2)) expect(outcome).toMatchObject({ error: expect.any(AbortedError) })
    await world.factory.close()
  })

  it('a close refuses the partitions that have not begun, and waits for those that have', async () => {
    const world = createWorld(SHARED)
    await world.factory.warm(['p0'])
    const gate = createDeferred()
    world.metastore.before = () => gate.promise
    const warming = world.factory.warm(['p1', 'p2'], { concurrency: 1 })
    await settle()
    const closing = world.factory.close()
    gate.resolve()
    const [one, two] = await warming
    await closing
    expect(one?.ok).toBe(true)
    expect(two).toMatchObject({ ok: false, error: expect.any(ClosedError) })
    await expect(world.factory.warm(['p3'])).rejects.toBeInstanceOf(ClosedError)
    expect(world.crypto.open).toBe(0)
  })

  it.each([
    ['nothing is kept between sessions', {}],
    ['no intermediate key is cached', { cacheIntermediateKeys: false, cacheSessions: true }],
  ])('is refused where it would be for nothing: %s', async (_, policy) => {
    await expect(createWorld(policy).factory.warm(['p'])).rejects.toBeInstanceOf(InvalidConfigError)
  })

  it.each([[0], [1.5], [1_025], [Number.NaN], ['4']])('concurrency %s is refused', async (concurrency) => {
    const error = await rejectionOf(promiseOf(createWorld(SHARED).factory, 'warm', ['p'], { concurrency }))
    expect(error).toBeInstanceOf(InvalidConfigError)
  })

  it.each([['text'], [undefined], [5], [{}]])('what is no list is refused: %s', async (ids) => {
    const error = await rejectionOf(promiseOf(createWorld(SHARED).factory, 'warm', ids))
    expect(error).toBeInstanceOf(InvalidInputError)
  })
})
