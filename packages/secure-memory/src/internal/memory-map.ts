import { readSystemFile } from './system.ts'

/** What the kernel says of this process's locked page sets that core dumps leave out: ours, and no others that we know. */
export interface LockedMaps {
  readonly count: number
  readonly bytes: number
  /** Those with memory without any access on both sides. */
  readonly guarded: number
  /** Locked memory that core dumps would hold. */
  readonly dumpedBytes: number
}

interface Mapping {
  readonly start: string
  readonly end: string
  readonly access: string
  readonly flags: readonly string[]
  readonly bytes: number
}

/** Reads /proc/self/smaps; undefined where there is none. */
export function lockedMaps(): LockedMaps | undefined {
  const text = readSystemFile('/proc/self/smaps')
  if (text === undefined) return undefined
  const mappings = parseMappings(text)
  let count = 0
  let bytes = 0
  let guarded = 0
  let dumpedBytes = 0
  for (const [at, mapping] of mappings.entries()) {
    if (!mapping.flags.includes('lo')) continue
    if (!mapping.flags.includes('dd')) {
      dumpedBytes += mapping.bytes
      continue
    }
    count += 1
    bytes += mapping.bytes
    const before = mappings[at - 1]
    const after = mappings[at + 1]
    const isGuard = (other: Mapping | undefined): boolean => other?.access.startsWith('---') === true
    if (isGuard(before) && before?.end === mapping.start && isGuard(after) && after?.start === mapping.end) guarded += 1
  }
  return { count, bytes, guarded, dumpedBytes }
}

/** Each mapping of smaps: a line of addresses and access, then lines of `Name: value`. */
function parseMappings(text: string): Mapping[] {
  return text.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).map((block) => {
    const [range = '', access = ''] = block.split(' ', 2)
    const [start = '', end = ''] = range.split('-')
    const kilobytes = Number(block.match(/^Size:\s+(\d+) kB/m)?.[1] ?? 0)
    const flags =
      block
        .match(/^VmFlags:\s*(.*)$/m)?.[1]
        ?.trim()
        .split(/\s+/) ?? []
    return { start, end, access, flags, bytes: kilobytes * 1_024 }
  })
}
