import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

/** One mapping of a process. */
export interface Mapping {
  readonly start: number
  readonly end: number
  /** The kernel's two-letter flags: `lo` locked, `dd` in no dump, `wf` wiped in a forked child. */
  readonly flags: readonly string[]
}

/** The readable and writable mappings of a process (Linux). */
function mappingsOf(pid: number): Mapping[] {
  const mappings: Mapping[] = []
  let current: { readonly start: number; readonly end: number } | undefined
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const [, start, end, access] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) /.exec(line) ?? []
    if (start !== undefined && end !== undefined) {
      const readable = access?.startsWith('rw') === true
      current = readable ? { start: Number.parseInt(start, 16), end: Number.parseInt(end, 16) } : undefined
    } else if (current !== undefined && line.startsWith('VmFlags:')) {
      mappings.push({ ...current, flags: line.slice(8).trim().split(/\s+/) })
    }
  }
  return mappings
}

/** Every mapping in which a key stands whole, by the key's index. Reads /proc/PID/mem, as a debugger would. */
export function findKeys(pid: number, keys: readonly Uint8Array[]): Map<number, Mapping[]> {
  // Two bytes decide for almost every place; a map of four, for the rest.
  const firstTwo = new Uint8Array(65_536)
  const firstFour = new Map<number, number[]>()
  for (const [index, key] of keys.entries()) {
    const view = Buffer.from(key.buffer, key.byteOffset, key.byteLength)
    firstTwo[view.readUInt16LE(0)] = 1
    const start = view.readUInt32LE(0)
    firstFour.set(start, [...(firstFour.get(start) ?? []), index])
  }
  const found = new Map<number, Mapping[]>()
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    for (const mapping of mappingsOf(pid)) {
      const bytes = readMapping(memory, mapping)
      for (let at = 0; at + 32 <= bytes.length; at += 1) {
        if (firstTwo[(bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)] === 0) continue
        for (const index of firstFour.get(bytes.readUInt32LE(at)) ?? []) {
          if (bytes.subarray(at, at + 32).equals(keys[index] ?? new Uint8Array(0))) {
            found.set(index, [...(found.get(index) ?? []), mapping])
          }
        }
      }
    }
  } finally {
    closeSync(memory)
  }
  return found
}

function readMapping(memory: number, { start, end }: Mapping): Buffer {
  const bytes = Buffer.alloc(end - start)
  let length = 0
  while (length < bytes.length) {
    try {
      const read = readSync(memory, bytes, length, bytes.length - length, start + length)
      if (read === 0) break
      length += read
    } catch {
      break // a mapping that went meanwhile, or that has no memory behind it
    }
  }
  return bytes.subarray(0, length)
}
