import { formatBytes } from './internal/limit-errors.ts'
import type { LockedMaps } from './internal/memory-map.ts'
import { type LockLimit, pageBytes } from './internal/system.ts'
import type { SecureMemoryStats } from './stats.ts'

/** One line of a report. */
export interface SecureMemoryFinding {
  /** `fail`: secure memory does not work here. `warn`: something is weaker than it could be. */
  readonly level: 'pass' | 'warn' | 'fail'
  readonly check: 'sodium' | 'lock' | 'guards' | 'dumps' | 'swap' | 'debugging' | 'cpu'
  readonly message: string
}

/** What was found. What the system does not say is undefined: most of it, where there is no /proc. */
export interface ReportFacts {
  /** Such as `linux-x64`. */
  readonly platform: string
  /** sodium-native can be loaded; else why not. */
  readonly sodium: { readonly loaded: boolean; readonly message: string }
  readonly lock: {
    /** RLIMIT_MEMLOCK in bytes; `Infinity` is unlimited. */
    readonly limit: LockLimit | undefined
    /** Locked by the whole process, in bytes. */
    readonly lockedBytes: number | undefined
    /** The process has CAP_IPC_LOCK, with which the limit does not count. */
    readonly limitIgnored: boolean
    /** A page was locked, and the lock verified, for this report. */
    readonly works: boolean
  }
  /** Locked page sets of the process that core dumps leave out, as the kernel has them; the report's own is among them. */
  readonly pages: LockedMaps | undefined
  readonly coreDumps: {
    /** RLIMIT_CORE in bytes. */
    readonly limit: LockLimit | undefined
    /** /proc/self/coredump_filter: which kinds of memory a dump has. 0: none. */
    readonly filter: number | undefined
    /** /proc/sys/kernel/core_pattern; a pattern that begins with `|` ignores the limit. */
    readonly pattern: string | undefined
  }
  /** Some swap space is in use by the system: what is not locked can be written there. */
  readonly swap: boolean | undefined
  /** Who may read this process's memory (Yama): 0 any process of the user, 1 its ancestors, 2 administrators, 3 nobody. */
  readonly ptraceScope: number | undefined
  /** Node's inspector is open: whoever connects reads everything. */
  readonly inspectorOpen: boolean
  /** Each file of /sys/devices/system/cpu/vulnerabilities, such as `spectre_v2`: what the kernel does about it. */
  readonly cpuVulnerabilities: Readonly<Record<string, string>> | undefined
  /** Of this thread. */
  readonly stats: SecureMemoryStats
}

type Level = SecureMemoryFinding['level']

/** What the facts mean, a line each. */
export function reportFindings(facts: ReportFacts): SecureMemoryFinding[] {
  const findings: SecureMemoryFinding[] = []
  const add = (check: SecureMemoryFinding['check'], level: Level, message: string): void => {
    findings.push({ level, check, message })
  }
  add('sodium', facts.sodium.loaded ? 'pass' : 'fail', facts.sodium.message)
  if (facts.sodium.loaded) add('lock', ...lockFinding(facts))
  if (facts.stats.unlockedBytes > 0) {
    add('lock', 'warn', `${formatBytes(facts.stats.unlockedBytes)} are used without a lock, as allowUnlocked says`)
  }
  if (facts.pages !== undefined && facts.lock.works) {
    const { count, guarded, bytes, dumpedBytes } = facts.pages
    const guards = `${guarded} of ${count} locked page sets have guard pages on both sides`
    add('guards', guarded === count && count > 0 ? 'pass' : 'warn', guards)
    add('dumps', count > 0 ? 'pass' : 'fail', `core dumps leave out ${formatBytes(bytes)} of locked memory`)
    if (dumpedBytes > 0)
      add('dumps', 'warn', `core dumps hold ${formatBytes(dumpedBytes)} that something else has locked`)
  }
  add('dumps', ...coreFinding(facts))
  if (facts.swap !== undefined) {
    add(
      'swap',
      facts.swap ? 'warn' : 'pass',
      facts.swap ? 'swap is in use: the JavaScript heap can be written to it' : 'there is no swap',
    )
  }
  if (facts.ptraceScope === undefined && facts.platform.startsWith('linux')) {
    add('debugging', 'warn', 'the kernel has no ptrace_scope: any process of the same user can read this one')
  }
  if (facts.ptraceScope !== undefined) {
    const scope = `kernel.yama.ptrace_scope is ${facts.ptraceScope}`
    if (facts.ptraceScope > 0) add('debugging', 'pass', scope)
    else add('debugging', 'warn', `${scope}: any process of the same user can read this one`)
  }
  if (facts.inspectorOpen) add('debugging', 'warn', "Node's inspector is open: whoever connects reads everything")
  add('cpu', ...cpuFinding(facts))
  return findings
}

function lockFinding({ lock, sodium }: ReportFacts): [Level, string] {
  if (!lock.works) return ['fail', sodium.message]
  if (lock.limitIgnored) return ['pass', 'memory can be locked, and the limit does not count (CAP_IPC_LOCK)']
  if (lock.limit === undefined) return ['pass', 'memory can be locked; the system does not say its limit']
  const { soft, hard } = lock.limit
  if (soft === Number.POSITIVE_INFINITY) return ['pass', 'memory can be locked without a limit']
  const left = Math.max(0, Math.floor((soft - (lock.lockedBytes ?? 0)) / pageBytes()))
  const text = `memory can be locked, up to ${formatBytes(soft)} (hard limit ${formatBytes(hard)}): ${left} more secrets of protected memory`
  return left < 64 ? ['warn', `${text}; use enclave memory`] : ['pass', text]
}

function coreFinding({ coreDumps }: ReportFacts): [Level, string] {
  const { limit, filter, pattern } = coreDumps
  if (limit === undefined)
    return ['warn', 'the system does not say whether it writes core dumps, which hold the JavaScript heap']
  if (filter === 0) return ['pass', 'the core filter leaves all memory out of core dumps']
  const piped = pattern?.startsWith('|') === true
  if (limit.soft === 0 && !piped) return ['pass', 'the soft core limit is 0: no core dumps']
  const how = piped
    ? 'core dumps go to a program, whatever the core limit'
    : `the core limit is ${formatBytes(limit.soft)}`
  return ['warn', `${how}: a dump holds the JavaScript heap, and so plaintext; see hardenProcess('core-dumps')`]
}

function cpuFinding({ cpuVulnerabilities }: ReportFacts): [Level, string] {
  if (cpuVulnerabilities === undefined) return ['warn', 'the system does not say how it mitigates faults of the CPU']
  const open = Object.entries(cpuVulnerabilities).flatMap(([name, state]) => (/vulnerable/i.test(state) ? [name] : []))
  if (open.length > 0) return ['warn', `the kernel says that the CPU is vulnerable to ${open.join(', ')}`]
  return ['pass', `${Object.keys(cpuVulnerabilities).length} known faults of the CPU: not affected, or mitigated`]
}
