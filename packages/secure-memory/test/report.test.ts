import {
  createEnclaveMemory,
  createProtectedMemory,
  formatSecureMemoryReport,
  secureMemoryReport,
} from '@asherah/secure-memory'
import { describe, expect, test } from 'vitest'
import { type ReportFacts, reportFindings } from '../src/report-findings.ts'
import { testWith } from './support/needs.ts'

const facts: ReportFacts = {
  platform: 'linux-x64',
  sodium: { loaded: true, message: 'sodium-native is loaded' },
  lock: { limit: { soft: 8_388_608, hard: 8_388_608 }, lockedBytes: 0, limitIgnored: false, works: true },
  pages: { count: 3, bytes: 12_288, guarded: 3, dumpedBytes: 0 },
  coreDumps: { limit: { soft: 0, hard: Number.POSITIVE_INFINITY }, filter: 0x33, pattern: 'core' },
  swap: false,
  ptraceScope: 1,
  inspectorOpen: false,
  cpuVulnerabilities: { meltdown: 'Not affected', spectre_v2: 'Mitigation: Retpolines' },
  stats: {
    allocated: 0,
    inUse: 0,
    inUseHighWater: 0,
    inUseBytes: 0,
    inOrdinaryMemory: 0,
    lockedBytes: 0,
    lockedBytesHighWater: 0,
    unlockedBytes: 0,
    lockLimitBytes: 8_388_608,
  },
}

/** What is not `pass`. */
function weak(changes: Partial<ReportFacts>): string[] {
  return reportFindings({ ...facts, ...changes })
    .filter(({ level }) => level !== 'pass')
    .map(({ level, check, message }) => `${level} ${check} ${message}`)
}

describe('the report', () => {
  testWith(['proc'], 'says what is in force here', () => {
    const factories = [createEnclaveMemory(), createProtectedMemory()]
    for (const factory of factories) factory.createRandom(32)
    const report = secureMemoryReport()
    expect(report).toMatchObject({ ok: true, sodium: { loaded: true }, lock: { works: true }, inspectorOpen: false })
    expect(report.pages?.count).toBeGreaterThanOrEqual(5)
    expect(report.pages?.guarded).toBe(report.pages?.count)
    expect(report.lock.lockedBytes).toBe(report.pages?.bytes)
    expect(report.stats).toMatchObject({ inUse: 2, unlockedBytes: 0 })
    const text = formatSecureMemoryReport(report)
    expect(text.split('\n')).toHaveLength(report.findings.length + 1)
    expect(text).toContain(`secure memory on ${process.platform}-${process.arch}`)
    for (const factory of factories) factory.close()
    const after = secureMemoryReport()
    expect(after.stats.inUse).toBe(0)
  })

  test('is all right where everything is', () => {
    expect(weak({})).toEqual([])
  })

  const { lock, coreDumps, stats, pages } = facts
  test.each<[Partial<ReportFacts>, string]>([
    [{ sodium: { loaded: false, message: 'no binary' } }, 'fail sodium no binary'],
    [
      { lock: { ...lock, works: false }, sodium: { loaded: true, message: 'the limit is 0' } },
      'fail lock the limit is 0',
    ],
    [{ lock: { ...lock, limit: { soft: 65_536, hard: 65_536 } } }, 'warn lock memory can be locked, up to 65536 bytes'],
    [{ stats: { ...stats, unlockedBytes: 8_192 } }, 'warn lock 8192 bytes are used without a lock'],
    [{ pages: pages && { ...pages, guarded: 2 } }, 'warn guards 2 of 3'],
    [{ pages: pages && { ...pages, count: 0, guarded: 0 } }, 'fail dumps'],
    [{ pages: pages && { ...pages, dumpedBytes: 4_096 } }, 'warn dumps core dumps hold 4096 bytes'],
    [{ coreDumps: { ...coreDumps, limit: { soft: 8_192, hard: 8_192 } } }, 'warn dumps the core limit is 8192 bytes'],
    [
      { coreDumps: { ...coreDumps, pattern: '|/usr/lib/systemd/systemd-coredump' } },
      'warn dumps core dumps go to a program',
    ],
    [{ coreDumps: { limit: undefined, filter: undefined, pattern: undefined } }, 'warn dumps the system does not say'],
    [{ swap: true }, 'warn swap'],
    [{ ptraceScope: 0 }, 'warn debugging kernel.yama.ptrace_scope is 0'],
    [{ ptraceScope: undefined }, 'warn debugging the kernel has no ptrace_scope'],
    [{ inspectorOpen: true }, "warn debugging Node's inspector is open"],
    [
      { cpuVulnerabilities: { retbleed: 'Vulnerable' } },
      'warn cpu the kernel says that the CPU is vulnerable to retbleed',
    ],
    [{ cpuVulnerabilities: undefined }, 'warn cpu the system does not say'],
  ])('%j is a finding', (changes, expected) => {
    expect(weak(changes)).toContainEqual(expect.stringContaining(expected))
  })

  test.each<Partial<ReportFacts>>([
    { coreDumps: { ...coreDumps, filter: 0, limit: { soft: 8_192, hard: 8_192 } } },
    { lock: { ...lock, limitIgnored: true, limit: { soft: 0, hard: 0 } } },
    { lock: { ...lock, limit: { soft: Number.POSITIVE_INFINITY, hard: Number.POSITIVE_INFINITY } } },
    { lock: { ...lock, limit: undefined }, platform: 'darwin-arm64' },
    { swap: undefined, pages: undefined },
  ])('%j is all right', (changes) => {
    expect(weak(changes)).toEqual([])
  })
})
