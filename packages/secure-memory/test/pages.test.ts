import { createEnclaveMemory, createProtectedMemory } from '@asherah/secure-memory'
import { afterEach, describe, expect } from 'vitest'
import { testWith } from './support/needs.ts'
import { lockedMappings, mappingsOf, readMemory } from './support/process-memory.ts'

const open: { close(): void }[] = []

function kept<T extends { close(): void }>(factory: T): T {
  open.push(factory)
  return factory
}

/** Some turns of the event loop. */
async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
}

afterEach(() => {
  for (const factory of open.splice(0)) factory.close()
})

describe('the pages of a secret, as the kernel has them', () => {
  testWith(['proc'], 'protected memory: no access while idle, read-only in use, locked, not in core dumps', () => {
    const secret = kept(createProtectedMemory()).createRandom(32)
    const access = (): string[] => lockedMappings('self').map((mapping) => mapping.access)
    expect(access()).toEqual(['---p'])
    expect(secret.withBytes(access)).toEqual(['r--p'])
    expect(access()).toEqual(['---p'])
    expect(
      secret.withBytes(() => secret.withBytes(access)),
      'each action has its own pages',
    ).toEqual(['r--p', 'r--p'])
    const failing = (): unknown =>
      secret.withBytes(() => {
        throw new Error('mine')
      })
    expect(failing).toThrow('mine')
    expect(access(), 'after an action that threw').toContain('---p')
    expect(access()).not.toContain('r--p')
  })

  testWith(
    ['proc'],
    'enclave memory: the coffer has no access while the event loop rests, and views are read-only',
    async () => {
      const factory = kept(createEnclaveMemory())
      const secret = factory.createRandom(32)
      const access = (): string[] => lockedMappings('self').map((mapping) => mapping.access)
      await turns()
      expect(access().filter((a) => a === '---p')).toHaveLength(1)
      expect(secret.withBytes(access).filter((a) => a === 'r--p')).toHaveLength(1)
      expect(access()).not.toContain('r--p')
      await turns()
      expect(access().filter((a) => a === '---p')).toHaveLength(1)
    },
  )

  testWith(['proc'], 'every page set has memory without access on both sides', () => {
    const secrets = kept(createProtectedMemory())
    for (const length of [1, 32, 4_080, 4_081, 60_000]) secrets.createRandom(length)
    const all = mappingsOf('self')
    const sets = all.filter(({ flags }) => flags.includes('lo') && flags.includes('dd'))
    expect(sets).toHaveLength(5)
    for (const set of sets) {
      expect(all.find(({ end }) => end === set.start)?.access).toBe('---p')
      expect(all.find(({ start }) => start === set.end)?.access).toBe('---p')
    }
  })

  testWith(['proc', 'own memory'], 'D-103 a page is wiped before it is freed', () => {
    const secrets = kept(createProtectedMemory())
    const bytes = new Uint8Array(64).fill(0xa7)
    const secret = secrets.fromBytes(bytes)
    const [mapping] = lockedMappings('self')
    const start = mapping?.start ?? 0
    const length = (mapping?.end ?? 0) - start
    // Runs, not single bytes: the canary beside them is random.
    const holds = (run: number): boolean =>
      readMemory('self', start, length)?.includes(Buffer.alloc(run, 0xa7)) ?? false
    expect(holds(64), 'while open').toBe(true)
    secret.close()
    expect(holds(4), 'after close').toBe(false)
  })
})
