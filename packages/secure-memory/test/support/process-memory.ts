import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** A mapping of a process, of /proc/PID/smaps. */
export interface Mapping {
  readonly start: number
  readonly end: number
  /** Such as `rw-p`. */
  readonly access: string
  /** Such as `lo`, locked, and `dd`, not in core dumps. */
  readonly flags: readonly string[]
  readonly residentBytes: number
}

/** Every mapping of a process. */
export function mappingsOf(pid: number | 'self'): Mapping[] {
  const text = readFileSync(`/proc/${pid}/smaps`, 'latin1')
  return text.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).map((block) => {
    const [range = '', access = ''] = block.split(' ', 2)
    const [start = '', end = ''] = range.split('-')
    return {
      start: Number.parseInt(start, 16),
      end: Number.parseInt(end, 16),
      access,
      flags:
        block
          .match(/^VmFlags:\s*(.*)$/m)?.[1]
          ?.trim()
          .split(/\s+/) ?? [],
      residentBytes: 1_024 * Number(block.match(/^Rss:\s+(\d+) kB/m)?.[1] ?? 0),
    }
  })
}

/** The locked mappings that core dumps leave out: the page sets of this package. */
export function lockedMappings(pid: number | 'self'): Mapping[] {
  return mappingsOf(pid).filter(({ flags }) => flags.includes('lo') && flags.includes('dd'))
}

/** Bytes of a process's memory, whatever access its pages have; null where nothing is mapped. */
export function readMemory(pid: number | 'self', start: number, length: number): Buffer | null {
  const file = openSync(`/proc/${pid}/mem`, 'r')
  try {
    const bytes = Buffer.alloc(length)
    return readSync(file, bytes, 0, length, start) === length ? bytes : null
  } catch {
    return null
  } finally {
    closeSync(file)
  }
}

const PAGE = 4_096
const PRESENT_OR_SWAPPED = 0xc0

/**
 * Where the bytes are in a process's memory: every page that it has, also those without access.
 *
 * Neighbouring pages are searched together, so that nothing is missed at their borders.
 */
export function findInMemory(pid: number, needle: Uint8Array): string[] {
  const found: string[] = []
  const mem = openSync(`/proc/${pid}/mem`, 'r')
  const pagemap = openSync(`/proc/${pid}/pagemap`, 'r')
  try {
    for (const mapping of mappingsOf(pid)) {
      if (mapping.residentBytes === 0) continue
      for (const { start, length } of presentRuns(pagemap, mapping)) {
        const bytes = Buffer.alloc(length)
        let read = 0
        try {
          read = readSync(mem, bytes, 0, length, start)
        } catch {
          continue // [vvar] and the like cannot be read
        }
        for (let at = bytes.indexOf(needle); at !== -1; at = bytes.indexOf(needle, at + 1)) {
          if (at + needle.byteLength <= read) found.push(`${(start + at).toString(16)} (${mapping.access})`)
        }
      }
    }
  } finally {
    closeSync(mem)
    closeSync(pagemap)
  }
  return found
}

/** Runs of pages that are there. */
function* presentRuns(pagemap: number, mapping: Mapping): Generator<{ start: number; length: number }> {
  const STEP = 65_536
  let runStart: number | undefined
  for (let from = mapping.start; from < mapping.end; from += STEP * PAGE) {
    const pages = Math.min(STEP, (mapping.end - from) / PAGE)
    const entries = Buffer.alloc(pages * 8)
    const read = readSync(pagemap, entries, 0, entries.byteLength, (from / PAGE) * 8)
    for (let page = 0; page < pages; page++) {
      const at = from + page * PAGE
      const present = page * 8 + 7 < read && ((entries[page * 8 + 7] ?? 0) & PRESENT_OR_SWAPPED) !== 0
      if (present) runStart ??= at
      else if (runStart !== undefined) {
        yield { start: runStart, length: at - runStart }
        runStart = undefined
      }
    }
  }
  if (runStart !== undefined) yield { start: runStart, length: mapping.end - runStart }
}
