import type { TwoWords } from './half-sip-hash.ts'

/** Remembers about how often each of many hashes came up lately, in a few bytes each. */
export interface FrequencySketch {
  record(hash: TwoWords): void
  /** From 0 to 16, never below what was recorded since the last aging, up to that bound; rarely above it. */
  estimate(hash: TwoWords): number
}

/** Counters of a hash; its estimate is too high only if each of them counts others too. */
const ROWS = 4
const GREATEST_COUNT = 15
/** A hash has all of its counters in one block of 64 bytes, a line of the processor's cache: four words of 8 counters a row. */
const BLOCK_WORDS = 16
/** Records after which all counts, and with them the records so far, are halved, for each entry of the cache. */
const RECORDS_AN_ENTRY = 10

/**
 * A count–min sketch of 4-bit counters with conservative update, behind a doorkeeper: a Bloom filter that keeps out what
 * came up once. After ten records an entry, and then after every five, all counts are halved and the doorkeeper is
 * emptied: what was popular is forgotten (Einziger, Friedman and Manes, “TinyLFU: A Highly Efficient Cache Admission Policy”, 2017, section 3).
 *
 * 12 to 24 bytes an entry. Halving takes a pass over the counters: about 5 ms for a million entries.
 *
 * @param maxSize Entries of the cache that it serves.
 */
export function createFrequencySketch(maxSize: number): FrequencySketch {
  const blocks = powerOfTwo(maxSize / 8)
  const counters = new Uint32Array(blocks * BLOCK_WORDS)
  const door = new Uint32Array(powerOfTwo(maxSize))
  let records = 0

  const wordAt = ({ low, high }: TwoWords, row: number): number =>
    (low & (blocks - 1)) * BLOCK_WORDS + row * 4 + ((high >>> (row * 5)) & 3)
  const shiftAt = ({ high }: TwoWords, row: number): number => ((high >>> (row * 5 + 2)) & 7) * 4
  const countOf = (hash: TwoWords, row: number): number =>
    ((counters[wordAt(hash, row)] ?? 0) >>> shiftAt(hash, row)) & 0xf
  const lowestCount = (hash: TwoWords): number => {
    let lowest = GREATEST_COUNT
    for (let row = 0; row < ROWS; row++) lowest = Math.min(lowest, countOf(hash, row))
    return lowest
  }
  // Other bits than the counters use: what shares a block shares no word of the door.
  const doorAt = ({ low, high }: TwoWords): number => (Math.imul(low ^ high, 0x9e3779b1) >>> 5) & (door.length - 1)
  const doorBits = ({ low, high }: TwoWords): number =>
    ((1 << (high >>> 27)) | (1 << ((high >>> 22) & 31)) | (1 << (low >>> 27))) >>> 0
  const count = (hash: TwoWords): void => {
    const lowest = lowestCount(hash)
    if (lowest === GREATEST_COUNT) return
    for (let row = 0; row < ROWS; row++) {
      // Only the lowest go up: the others count somebody else too.
      if (countOf(hash, row) !== lowest) continue
      const word = wordAt(hash, row)
      counters[word] = (counters[word] ?? 0) + (1 << shiftAt(hash, row))
    }
  }
  const age = (): void => {
    for (let i = 0; i < counters.length; i++) counters[i] = ((counters[i] ?? 0) >>> 1) & 0x77777777
    door.fill(0)
    records = Math.floor(records / 2)
  }

  return {
    record(hash) {
      const at = doorAt(hash)
      const known = door[at] ?? 0
      const bits = doorBits(hash)
      if ((known & bits) >>> 0 === bits) count(hash)
      else door[at] = known | bits
      records += 1
      if (records >= maxSize * RECORDS_AN_ENTRY) age()
    },
    estimate(hash) {
      const bits = doorBits(hash)
      return lowestCount(hash) + (((door[doorAt(hash)] ?? 0) & bits) >>> 0 === bits ? 1 : 0)
    },
  }
}

/** The least power of two that is 1 or more, and not below. */
function powerOfTwo(atLeast: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2(atLeast)))
}
