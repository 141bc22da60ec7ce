import { describe, expect } from 'vitest'
import { testWith } from './support/needs.ts'
import { runChild } from './support/run-child.ts'

interface LimitReport {
  readonly uid: number
  readonly limit: number
  readonly made: number
  readonly wrong: number
  readonly nested?: boolean
  readonly error?: { readonly code: string; readonly message: string }
  readonly stats: { readonly inUse: number; readonly lockedBytes: number; readonly inOrdinaryMemory: number }
  readonly threadLockedBytes: number
  readonly kernelLockedBytes: number
  readonly closed: { readonly inUse: number; readonly inUseBytes: number; readonly inOrdinaryMemory: number }
  readonly lockedAtTheEnd: number
}

const KEYS = 100_000
const MIB = 1_048_576

async function underLimit(
  limitBytes: number,
  kind: 'enclave' | 'protected',
  options: object = {},
): Promise<LimitReport> {
  const result = await runChild('limit.ts', [kind, String(KEYS), JSON.stringify(options)], {
    limits: [`--memlock=${limitBytes}:${limitBytes}`],
  })
  expect(result, result.stderr).toMatchObject({ code: 0, signal: null })
  return JSON.parse(result.stdout)
}

describe('at the lock limit, as a user to whom it applies: never a crash, never a silent miss', () => {
  for (const [name, limit] of [
    ['8 MiB', 8 * MIB],
    ['64 KiB', 65_536],
  ] as const) {
    testWith(
      ['proc', 'prlimit', 'limited user'],
      `D-102 enclave memory holds 100,000 keys within ${name}`,
      async () => {
        const report = await underLimit(limit, 'enclave')
        expect(report).toMatchObject({ limit, made: KEYS, wrong: 0, nested: true })
        expect(report.error).toBeUndefined()
        expect(report.uid).not.toBe(0)
        expect(report.stats.inUse).toBe(KEYS)
        expect(report.kernelLockedBytes).toBeLessThanOrEqual(limit)
        expect(report.kernelLockedBytes).toBe(report.threadLockedBytes)
        expect(report.closed).toMatchObject({ inUse: 0, inUseBytes: 0, inOrdinaryMemory: 0 })
        expect(report.lockedAtTheEnd).toBe(0)
        if (limit === 8 * MIB) expect(report.stats.inOrdinaryMemory).toBe(0)
        else expect(report.stats.inOrdinaryMemory).toBeGreaterThan(KEYS * 0.95)
      },
    )

    testWith(
      ['proc', 'prlimit', 'limited user'],
      `D-102 protected memory within ${name} refuses one key too many, and keeps the others`,
      async () => {
        const report = await underLimit(limit, 'protected')
        const pages = limit / 4_096
        expect(report.wrong).toBe(0)
        expect(report.made).toBeGreaterThanOrEqual(pages - 8)
        expect(report.made).toBeLessThanOrEqual(pages)
        expect(report.error?.code).toBe('ERR_ASHERAH_SECURE_MEMORY')
        expect(report.error?.message).toContain(`${limit} bytes`)
        for (const hint of ['ulimit -l', 'LimitMEMLOCK=', '--ulimit memlock', 'createEnclaveMemory']) {
          expect(report.error?.message).toContain(hint)
        }
        expect(report.kernelLockedBytes).toBeLessThanOrEqual(limit)
        expect(report.lockedAtTheEnd).toBe(0)
      },
    )
  }

  testWith(['proc', 'prlimit', 'limited user'], "D-102 onLockLimit: 'throw' refuses within 64 KiB", async () => {
    const report = await underLimit(65_536, 'enclave', { onLockLimit: 'throw' })
    expect(report.wrong).toBe(0)
    expect(report.made).toBeGreaterThan(500)
    expect(report.made).toBeLessThan(KEYS)
    expect(report.nested).toBe(true)
    expect(report.error?.code).toBe('ERR_ASHERAH_SECURE_MEMORY')
    expect(report.stats.inOrdinaryMemory).toBe(0)
  })

  for (const kind of ['enclave', 'protected'] as const) {
    testWith(
      ['proc', 'prlimit', 'limited user'],
      `D-102 without any lock, ${kind} memory is refused at once`,
      async () => {
        const report = await underLimit(0, kind)
        expect(report).toMatchObject({ made: 0, wrong: 0, error: { code: 'ERR_ASHERAH_SECURE_MEMORY' } })
        expect(report.error?.message).toContain('the limit (RLIMIT_MEMLOCK) is 0 bytes')
      },
    )
  }

  testWith(['proc', 'prlimit', 'limited user'], 'D-102 allowUnlocked holds 100,000 keys without any lock', async () => {
    const report = await underLimit(0, 'enclave', { allowUnlocked: true })
    expect(report).toMatchObject({ made: KEYS, wrong: 0, nested: true, kernelLockedBytes: 0 })
    expect(report.error).toBeUndefined()
    expect(report.stats).toMatchObject({ lockedBytes: 0, inOrdinaryMemory: KEYS })
    expect(report.stats).toHaveProperty('unlockedBytes', 8_192)
  })

  testWith(
    ['proc', 'prlimit', 'limited user'],
    'a secret of 1 MB within 64 KiB can be made and read in parts',
    async () => {
      const result = await runChild('large.ts', [], { limits: ['--memlock=65536:65536'] })
      expect(result, result.stderr).toMatchObject({ code: 0, signal: null })
      const report = JSON.parse(result.stdout)
      expect(report).toMatchObject({ right: true, smallOneWorks: true, error: { code: 'ERR_ASHERAH_SECURE_MEMORY' } })
      expect(report.error.message).toContain('reader()')
      expect(report.stats).toMatchObject({ inUse: 2, inOrdinaryMemory: 1, unlockedBytes: 0 })
      expect(report.stats.lockedBytesHighWater).toBeLessThanOrEqual(65_536)
    },
  )
})
