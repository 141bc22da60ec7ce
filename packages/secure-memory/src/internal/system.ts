import { readFileSync } from 'node:fs'
import { endianness } from 'node:os'

/** What the system lets this process lock, in bytes; `Infinity` is unlimited. */
export interface LockLimit {
  readonly soft: number
  readonly hard: number
}

/** A file of /proc or /sys; undefined where there is none or it may not be read, as on every system but Linux. */
export function readSystemFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return undefined
  }
}

/** A line of /proc/self/limits. */
export function processLimit(name: string): LockLimit | undefined {
  const line = readSystemFile('/proc/self/limits')
    ?.split('\n')
    .find((text) => text.startsWith(name))
  const [soft, hard] = line?.slice(name.length).trim().split(/\s+/) ?? []
  if (soft === undefined || hard === undefined) return undefined
  return { soft: limitOf(soft), hard: limitOf(hard) }
}

function limitOf(text: string): number {
  return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text)
}

/** RLIMIT_MEMLOCK, where the system says it. */
export function lockLimit(): LockLimit | undefined {
  return processLimit('Max locked memory')
}

/** A line of /proc/self/status. */
function statusLine(name: string): string | undefined {
  return readSystemFile('/proc/self/status')?.match(new RegExp(`^${name}:\\s*(.+)$`, 'm'))?.[1]
}

/** What the whole process has locked, by this package or others, in bytes. */
export function lockedByProcess(): number | undefined {
  const kilobytes = Number.parseInt(statusLine('VmLck') ?? '', 10)
  return Number.isNaN(kilobytes) ? undefined : kilobytes * 1_024
}

const CAP_IPC_LOCK = 14n

/** With CAP_IPC_LOCK, which root has, the kernel ignores the limit. */
export function ignoresLockLimit(): boolean {
  const capabilities = statusLine('CapEff')
  return capabilities !== undefined && ((BigInt(`0x${capabilities}`) >> CAP_IPC_LOCK) & 1n) === 1n
}

/** Mappings that a process may have, where the system limits them. */
export function maxMapCount(): number | undefined {
  const count = Number.parseInt(readSystemFile('/proc/sys/vm/max_map_count') ?? '', 10)
  return Number.isNaN(count) ? undefined : count
}

/** Mappings that this process has. */
export function mapCount(): number {
  return readSystemFile('/proc/self/maps')?.split('\n').length ?? 0
}

const AT_PAGESZ = 6n
const AUXV_ENTRY_BYTES = 16
let knownPageBytes: number | undefined

/** Bytes of a page of memory; 4,096 where the system does not say. */
export function pageBytes(): number {
  knownPageBytes ??= readPageBytes()
  return knownPageBytes
}

function readPageBytes(): number {
  if (process.platform === 'darwin') return process.arch === 'arm64' ? 16_384 : 4_096
  // Entries of 64-bit processes; sodium-native has no Linux binary for others.
  const entries = Buffer.from(readSystemFile('/proc/self/auxv') ?? '', 'latin1')
  const read = (at: number): bigint =>
    endianness() === 'LE' ? entries.readBigUInt64LE(at) : entries.readBigUInt64BE(at)
  for (let at = 0; at + AUXV_ENTRY_BYTES <= entries.byteLength; at += AUXV_ENTRY_BYTES) {
    if (read(at) === AT_PAGESZ) return Number(read(at + 8))
  }
  return 4_096
}
