import { readdirSync } from 'node:fs'
import { AsherahError } from '@asherah/core/backend'
import { lockedMaps } from './internal/memory-map.ts'
import { Owner } from './internal/owner.ts'
import { giveRegion, takeRegion } from './internal/region-pool.ts'
import { loadSodium } from './internal/sodium.ts'
import { ignoresLockLimit, lockedByProcess, lockLimit, processLimit, readSystemFile } from './internal/system.ts'
import { type ReportFacts, reportFindings, type SecureMemoryFinding } from './report-findings.ts'
import { secureMemoryStats } from './stats.ts'

/** What {@link secureMemoryReport} found. */
export interface SecureMemoryReport extends ReportFacts {
  /** False when a finding has failed. */
  readonly ok: boolean
  /** What it all means, a line each. */
  readonly findings: readonly SecureMemoryFinding[]
}

/**
 * What protection is really in force in this process. Changes nothing, but locks one page for a moment to see that it can.
 *
 * @example
 * console.log(formatSecureMemoryReport(secureMemoryReport()))
 */
export function secureMemoryReport(): SecureMemoryReport {
  const probe = probePage()
  const facts: ReportFacts = {
    platform: `${process.platform}-${process.arch}`,
    sodium: { loaded: probe.loaded, message: probe.message },
    lock: {
      limit: lockLimit(),
      lockedBytes: lockedByProcess(),
      limitIgnored: ignoresLockLimit(),
      works: probe.locked,
    },
    pages: probe.pages,
    coreDumps: {
      limit: processLimit('Max core file size'),
      filter: hexOf(readSystemFile('/proc/self/coredump_filter')),
      pattern: readSystemFile('/proc/sys/kernel/core_pattern')?.trim(),
    },
    swap: swapInUse(),
    ptraceScope: numberOf(readSystemFile('/proc/sys/kernel/yama/ptrace_scope')),
    inspectorOpen: isInspectorOpen(),
    cpuVulnerabilities: cpuVulnerabilities(),
    stats: secureMemoryStats(),
  }
  const findings = reportFindings(facts)
  return { ...facts, findings, ok: findings.every(({ level }) => level !== 'fail') }
}

/** A report as text: a line for each finding. */
export function formatSecureMemoryReport(report: SecureMemoryReport): string {
  const lines = report.findings.map(
    ({ level, check, message }) => `${level.padEnd(4)}  ${check.padEnd(10)}  ${message}`,
  )
  return [`secure memory on ${report.platform}`, ...lines].join('\n')
}

interface Probe {
  readonly loaded: boolean
  readonly locked: boolean
  readonly message: string
  readonly pages: ReportFacts['pages']
}

/** Locks a page, and looks at the process's mappings meanwhile. */
function probePage(): Probe {
  let loaded = false
  try {
    loadSodium()
    loaded = true
    const owner = new Owner('enclave', false)
    const region = takeRegion(1, owner)
    try {
      return { loaded, locked: true, message: 'sodium-native is loaded', pages: lockedMaps() }
    } finally {
      giveRegion(region, owner)
    }
  } catch (error) {
    if (!(error instanceof AsherahError)) throw error
    return { loaded, locked: false, message: error.message, pages: lockedMaps() }
  }
}

/** Node may be built without an inspector: then its module cannot be imported. */
function isInspectorOpen(): boolean {
  return process.features.inspector && process.getBuiltinModule('node:inspector').url() !== undefined
}

function hexOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number.parseInt(text, 16)
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number.parseInt(text, 10)
}

/** /proc/swaps has a line of names, then one for each swap space. */
function swapInUse(): boolean | undefined {
  const swaps = readSystemFile('/proc/swaps')
  return swaps === undefined ? undefined : swaps.trim().split('\n').length > 1
}

const VULNERABILITIES = '/sys/devices/system/cpu/vulnerabilities'

function cpuVulnerabilities(): Record<string, string> | undefined {
  let names: string[]
  try {
    names = readdirSync(VULNERABILITIES).sort()
  } catch {
    return undefined // not Linux, or hidden in a container
  }
  return Object.fromEntries(names.map((name) => [name, readSystemFile(`${VULNERABILITIES}/${name}`)?.trim() ?? '']))
}
