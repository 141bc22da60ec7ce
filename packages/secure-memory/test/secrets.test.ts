import { createHash } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Secret } from '@asherah/core/backend'
import {
  createEnclaveMemory,
  createProtectedMemory,
  type EnclaveMemory,
  type ProtectedMemory,
  purge,
  secureMemoryStats,
} from '@asherah/secure-memory'
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'

type Kind = 'protected' | 'enclave'
const kinds: readonly Kind[] = ['protected', 'enclave']
const open: { close(): void }[] = []

function create(kind: Kind): EnclaveMemory | ProtectedMemory {
  const factory = kind === 'enclave' ? createEnclaveMemory({ rekeyAfterUses: 7 }) : createProtectedMemory()
  open.push(factory)
  return factory
}

afterEach(() => {
  for (const factory of open.splice(0)) factory.close()
  expect(secureMemoryStats(), 'what is left').toMatchObject({
    inUse: 0,
    inUseBytes: 0,
    inOrdinaryMemory: 0,
    lockedBytes: 0,
  })
})

function patterned(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7 + (i >> 8)) & 0xff)
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

describe.each(kinds)('secrets of %s memory', (kind) => {
  test('any order of making, using and closing leaves every open secret right', () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant('make' as const),
        length: fc.constantFrom(1, 16, 32, 33, 1_000, 4_081, 16_384, 16_385, 70_000),
      }),
      fc.record({ do: fc.constant('use' as const), at: fc.nat(20) }),
      fc.record({ do: fc.constant('nest' as const), at: fc.nat(20), inner: fc.nat(20) }),
      fc.record({ do: fc.constant('close' as const), at: fc.nat(20) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const factory = create(kind)
        const live: { secret: Secret; hash: string }[] = []
        for (const [i, s] of steps.entries()) {
          if (s.do === 'make') {
            const bytes = patterned(s.length, i)
            const hash = hashOf(bytes)
            live.push({ secret: factory.fromBytes(bytes), hash })
          } else {
            const one = live[s.at % Math.max(1, live.length)]
            if (one === undefined) continue
            if (s.do === 'use') expect(one.secret.withBytes(hashOf)).toBe(one.hash)
            if (s.do === 'nest') {
              const other = live[s.inner % live.length] ?? one
              one.secret.withBytes((bytes) => {
                expect(other.secret.withBytes(hashOf)).toBe(other.hash)
                expect(hashOf(bytes)).toBe(one.hash)
              })
            }
            if (s.do === 'close') {
              one.secret.close()
              live.splice(live.indexOf(one), 1)
            }
          }
          expect(factory.stats().inUse).toBe(live.length)
        }
        for (const { secret, hash } of live) expect(secret.withBytes(hashOf)).toBe(hash)
        factory.close()
        expect(factory.stats()).toMatchObject({ inUse: 0, inUseBytes: 0, lockedBytes: 0 })
      }),
      { numRuns: 60 },
    )
  })

  test("a view shows the secret's bytes and nothing of another, however far it is widened", () => {
    const factory = create(kind)
    const others = Array.from({ length: 20 }, (_, i) => factory.fromBytes(patterned(32, i).fill(0xee)))
    const secret = factory.fromBytes(new Uint8Array(32).fill(0x11))
    secret.withBytes((bytes) => {
      expect(bytes.byteLength).toBe(32)
      const all = new Uint8Array(bytes.buffer)
      expect(all.filter((byte) => byte === 0x11)).toHaveLength(32)
      expect(all.includes(0xee)).toBe(false)
      others[3]?.withBytes((inner) => expect(new Uint8Array(inner.buffer).includes(0x11)).toBe(false))
    })
    expect(others).toHaveLength(20)
  })

  test('a view is detached when its action returns, throws, or its promise settles', async () => {
    const secret = create(kind).createRandom(32)
    const views: Uint8Array[] = []
    const keep = (bytes: Uint8Array): Uint8Array => {
      views.push(bytes, bytes.subarray(4), Buffer.from(bytes.buffer, bytes.byteOffset, 8))
      return bytes
    }
    secret.withBytes(keep)
    expect(() =>
      secret.withBytes((bytes) => {
        keep(bytes)
        throw new Error('mine')
      }),
    ).toThrow('mine')
    await secret.withBytesAsync(async (bytes) => keep(bytes))
    secret.withBytes((outer) => {
      const inner = secret.withBytes(keep)
      expect(inner.byteLength).toBe(0)
      expect(outer.byteLength).toBe(32)
    })
    expect(views.map((view) => view.byteLength)).toEqual(views.map(() => 0))
    expect(views).toHaveLength(12)
  })

  test('actions that overlap have pages of their own and end in any order', async () => {
    const factory = create(kind)
    const bytes = patterned(32, 1)
    const hash = hashOf(bytes)
    const secret = factory.fromBytes(bytes)
    const pauses = [30, 5, 20, 1, 10]
    const seen = await Promise.all(
      pauses.map((ms) =>
        secret.withBytesAsync(async (view) => {
          await new Promise((resolve) => setTimeout(resolve, ms))
          return hashOf(view)
        }),
      ),
    )
    expect(seen).toEqual(pauses.map(() => hash))
    expect(secret.withBytes(hashOf)).toBe(hash)
  })

  test('an action that takes the memory away gets an error, and the process lives', () => {
    const factory = create(kind)
    const secret = factory.createRandom(32)
    const other = factory.createRandom(32)
    const hash = other.withBytes(hashOf)
    const stolen: ArrayBuffer[] = []
    const steal = (): unknown =>
      secret.withBytes((bytes) => {
        if (bytes.buffer instanceof ArrayBuffer) stolen.push(bytes.buffer.transfer())
        // The memory is gone for another action on the secret, too, and no page is touched in the attempt.
        if (kind === 'protected') secret.withBytes(() => 'not reached')
      })
    expect(steal).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_SECURE_MEMORY' }))
    expect(stolen).toHaveLength(1)
    expect(secret.closed, 'there is no secret any more where the page was its only place').toBe(kind === 'protected')
    if (kind === 'enclave') expect(secret.withBytes((bytes) => bytes.byteLength)).toBe(32)
    expect(other.withBytes(hashOf)).toBe(hash)
    expect(factory.createRandom(32).withBytes((bytes) => bytes.byteLength)).toBe(32)
  })

  test('bytes in shared memory are taken over, too', () => {
    const shared = new Uint8Array(new SharedArrayBuffer(40), 4, 32)
    shared.set(patterned(32, 5))
    const secret = create(kind).fromBytes(shared)
    expect(shared.every((byte) => byte === 0)).toBe(true)
    expect(secret.withBytes(hashOf)).toBe(hashOf(patterned(32, 5)))
  })

  test('D-143 stats count what was made, what is open and what is locked', () => {
    const factory = create(kind)
    const base = factory.stats()
    expect(base).toMatchObject({ allocated: 0, inUse: 0, inUseBytes: 0, inUseHighWater: 0, unlockedBytes: 0 })
    const secrets = [factory.createRandom(32), factory.createRandom(100), factory.createRandom(9_000)]
    const full = factory.stats()
    expect(full).toMatchObject({ allocated: 3, inUse: 3, inUseBytes: 9_132, inUseHighWater: 3 })
    expect(full.lockedBytes).toBeGreaterThan(base.lockedBytes)
    expect(secureMemoryStats()).toMatchObject({ inUse: 3, inUseBytes: 9_132 })
    secrets[1]?.close()
    secrets[1]?.close()
    expect(factory.stats()).toMatchObject({ allocated: 3, inUse: 2, inUseBytes: 9_032, inUseHighWater: 3 })
    factory.close()
    expect(factory.stats()).toMatchObject({ allocated: 3, inUse: 0, inUseBytes: 0, lockedBytes: 0 })
    expect(factory.stats().lockedBytesHighWater).toBeGreaterThanOrEqual(full.lockedBytes)
  })

  test('events are published while somebody listens', () => {
    const events: unknown[] = []
    const listen = (message: unknown): void => void events.push(message)
    subscribe('asherah:secure-memory', listen)
    try {
      const factory = create(kind)
      factory.createRandom(32).close()
      factory.createRandom(32)
      expect(purge()).toBe(1)
    } finally {
      unsubscribe('asherah:secure-memory', listen)
    }
    expect(events).toMatchObject([
      { event: 'created', kind, stats: { allocated: 1, inUse: 1 } },
      { event: 'closed', kind, stats: { inUse: 0 } },
      { event: 'created', kind, stats: { allocated: 2, inUse: 1 } },
      { event: 'purged', kind, stats: { inUse: 0, inUseBytes: 0 } },
    ])
    expect(JSON.stringify(events)).not.toContain('bytes":[')
  })

  test('purge wipes every secret, under running actions too, and the factory goes on', async () => {
    const factory = create(kind)
    const secrets = [factory.createRandom(32), factory.createRandom(32)]
    let view: Uint8Array | undefined
    let resolve = (): void => {}
    const running = secrets[0]?.withBytesAsync((bytes) => {
      view = bytes
      return new Promise<void>((done) => {
        resolve = done
      })
    })
    secrets[1]?.withBytes((bytes) => {
      secrets[1]?.withBytes((inner) => {
        expect(purge()).toBe(2)
        expect(inner.byteLength).toBe(0)
      })
      expect(bytes.byteLength).toBe(0)
    })
    expect(view?.byteLength).toBe(0)
    resolve()
    await running
    expect(secrets.map(({ closed }) => closed)).toEqual([true, true])
    expect(() => secrets[0]?.withBytes(() => 1)).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_CLOSED' }))
    for (const secret of secrets) secret.close()
    expect(factory.stats()).toMatchObject({ inUse: 0, inUseBytes: 0 })
    const after = factory.createRandom(32)
    expect(after.withBytes((bytes) => bytes.byteLength)).toBe(32)
    expect(factory.stats().inUse).toBe(1)
  })

  test('a secret that is closed in its own action ends with it', () => {
    const factory = create(kind)
    const secret = factory.createRandom(32)
    secret.withBytes((bytes) => {
      secret.close()
      expect(bytes.byteLength).toBe(32)
      expect(factory.stats().inUse).toBe(0)
    })
    expect(secret.closed).toBe(true)
    const nested = factory.createRandom(32)
    nested.withBytes((outer) => {
      nested.withBytes(() => factory.close())
      expect(outer.byteLength).toBe(32)
    })
    expect(nested.closed).toBe(true)
  })

  test('nothing of a secret shows in logs, JSON or clones', () => {
    const secret = create(kind).fromBytes(new Uint8Array(32).fill(65))
    expect(JSON.stringify(secret)).toBe('{}')
    expect(structuredClone(secret)).toEqual({})
  })

  test('a burst of secrets that are made and closed uses the same pages', () => {
    const factory = create(kind)
    for (let i = 0; i < 3_000; i++) factory.createRandom(32).close()
    expect(factory.stats().lockedBytesHighWater).toBeLessThanOrEqual(8 * 16_384)
  })
})

describe('protected memory', () => {
  test('maxSecrets is a bound on open secrets', () => {
    const factory = createProtectedMemory({ maxSecrets: 2 })
    open.push(factory)
    const first = factory.createRandom(32)
    factory.createRandom(32)
    const input = new Uint8Array(32).fill(1)
    expect(() => factory.fromBytes(input)).toThrow(expect.objectContaining({ code: 'ERR_ASHERAH_SECURE_MEMORY' }))
    expect(() => factory.fromBytes(input)).toThrow('maxSecrets')
    expect(input).toEqual(new Uint8Array(32))
    first.close()
    expect(factory.createRandom(32).closed).toBe(false)
  })
})

describe('enclave memory', () => {
  test('re-keying keeps every secret, by uses and by time', async () => {
    const factory = createEnclaveMemory({ rekeyAfterUses: 3, rekeyAfterMs: 1 })
    open.push(factory)
    const secrets = Array.from({ length: 50 }, (_, i) => factory.fromBytes(patterned(32, i)))
    for (let round = 0; round < 20; round++) {
      await new Promise((resolve) => setTimeout(resolve, 2))
      for (const [i, secret] of secrets.entries()) expect(secret.withBytes(hashOf)).toBe(hashOf(patterned(32, i)))
    }
  })

  test('writable views: a write stays in the copy', () => {
    const factory = createEnclaveMemory({ writableViews: true })
    open.push(factory)
    const secret = factory.fromBytes(patterned(32, 1))
    secret.withBytes((bytes) => {
      bytes.fill(9)
      expect(secret.withBytes(hashOf)).toBe(hashOf(patterned(32, 1)))
    })
    expect(secret.withBytes(hashOf)).toBe(hashOf(patterned(32, 1)))
    expect(
      factory.createRandom(32).withBytes((bytes) => new Uint8Array(bytes.buffer).includes(9, 4_000 - 32)),
    ).toBeDefined()
  })

  test('10,000 keys are in few page sets', () => {
    const factory = createEnclaveMemory()
    open.push(factory)
    const secrets = Array.from({ length: 10_000 }, (_, i) => factory.fromBytes(patterned(32, i)))
    const { lockedBytes, inOrdinaryMemory } = factory.stats()
    expect(lockedBytes / 10_000 + (inOrdinaryMemory > 0 ? 1 : 0)).toBeLessThan(110)
    for (const secret of secrets) secret.close()
    expect(factory.stats()).toMatchObject({ inUse: 0, inOrdinaryMemory: 0 })
    expect(factory.stats().lockedBytes).toBeLessThanOrEqual(256 * 4_096 + 3 * 16_384)
  })
})
