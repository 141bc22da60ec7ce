import { isAscii } from 'node:buffer'
import type { Call } from '../contracts/call.ts'
import type { CryptoProvider, PackedRows } from '../contracts/crypto-provider.ts'
import { channels, isTraced } from '../diagnostics.ts'
import { InvalidInputError } from '../errors.ts'
import type { DataRowRecordInput } from '../types.ts'
import { offHeapBytes, offHeapCopy } from './bytes.ts'
import type { Envelope, Partition, SealRow } from './envelope.ts'
import { type RecordLimits, type ScannedDataRow, scanDataRowRecord } from './record-codec.ts'
import { byteLengthOf } from './record-fields.ts'

/** What a batch is made of when the provider has no packed form, or when a batch does not fit it. */
export interface SingleCalls<P extends Partition> {
  encryptToJson(partition: P, plaintext: Uint8Array, call: Call): Promise<string>
  decrypt(partition: P, record: DataRowRecordInput, call: Call): Promise<Uint8Array>
  /** @throws InvalidInputError */
  checkPlaintext(plaintext: Uint8Array): void
}

/** Many payloads of one partition at once: one call of the provider where it has packed forms, else one for each. */
export interface SessionBatch<P extends Partition> {
  encryptMany(partition: P, plaintexts: readonly Uint8Array[], call: Call): Promise<string[]>
  decryptMany(partition: P, records: readonly DataRowRecordInput[], call: Call): Promise<Uint8Array[]>
}

/** More is packed in parts, so that no batch needs one huge buffer. */
const MAX_PACKED_BYTES = 16 * 1_024 * 1_024

/** Makes the batch calls of a factory's sessions. */
export function createSessionBatch<P extends Partition>(
  envelope: Envelope,
  crypto: CryptoProvider,
  limits: RecordLimits,
  single: SingleCalls<P>,
): SessionBatch<P> {
  const { encryptRowsPacked, decryptRowsPacked } = crypto

  const sealPacked = async (
    partition: P,
    encryptRows: NonNullable<typeof encryptRowsPacked>,
    plaintexts: readonly Uint8Array[],
    call: Call,
  ): Promise<string[]> => {
    const { packed, ends } = pack(plaintexts)
    const form: SealRow<PackedRows> = (key, payloads, meta) => encryptRows.call(crypto, key, payloads, ends, meta)
    try {
      const rows =
        envelope.trySeal(partition, packed, form, ends.length) ??
        (await envelope.seal(partition, packed, form, call, ends.length))
      return splitText(rows)
    } finally {
      packed.fill(0)
    }
  }

  /** Undefined: the records are not all of the common form under one cached key, or one of them is refused. */
  const tryOpenPacked = (partition: P, records: readonly DataRowRecordInput[]): Uint8Array[] | undefined => {
    // Who traces is told of each record.
    if (decryptRowsPacked === undefined || isTraced(channels.trace.decrypt)) return undefined
    let first: ScannedDataRow | undefined
    const texts: Buffer[] = []
    for (const record of records) {
      const scanned = typeof record === 'string' ? scanDataRowRecord(record, limits) : undefined
      if (typeof record !== 'string' || scanned === undefined) return undefined
      first ??= scanned
      if (scanned.parentKeyId !== first.parentKeyId || scanned.parentCreated !== first.parentCreated) return undefined
      texts.push(Buffer.from(record))
    }
    if (first === undefined) return undefined
    const { parentKeyId, parentCreated } = first
    const rows = pack(texts)
    let ends = new Uint32Array(0)
    try {
      envelope.checkPartition(partition, parentKeyId)
      const packed = envelope.tryOpen(partition, parentKeyId, parentCreated, (key) => {
        const opened = decryptRowsPacked.call(crypto, key, rows.packed, rows.ends)
        ends = new Uint32Array(opened.ends)
        return opened.packed
      })
      if (packed === undefined) return undefined
      const plaintexts = split({ packed, ends })
      packed.fill(0)
      return plaintexts
    } catch {
      return undefined // one by one, the record at fault names itself, as far as uniformErrors lets it
    }
  }

  return {
    async encryptMany(partition, plaintexts, call) {
      checkList(plaintexts, 'payloads')
      checkEach(plaintexts, single.checkPlaintext)
      if (encryptRowsPacked === undefined || isTraced(channels.trace.encrypt)) {
        return Promise.all(plaintexts.map((plaintext) => single.encryptToJson(partition, plaintext, call)))
      }
      const parts = await Promise.all(
        chunks(plaintexts).map((chunk) => sealPacked(partition, encryptRowsPacked, chunk, call)),
      )
      return parts.length === 1 ? (parts[0] ?? []) : parts.flat()
    },
    async decryptMany(partition, records, call) {
      checkList(records, 'records')
      const opened = tryOpenPacked(partition, records)
      return opened ?? Promise.all(Array.from(records, (record) => single.decrypt(partition, record, call)))
    },
  }
}

function checkList(values: unknown, what: string): void {
  if (!Array.isArray(values)) throw new InvalidInputError(`${what} are an array`)
}

function checkEach(plaintexts: readonly Uint8Array[], check: (plaintext: Uint8Array) => void): void {
  let index = 0
  try {
    for (const plaintext of plaintexts) {
      check(plaintext)
      index += 1
    }
  } catch (cause) {
    if (!(cause instanceof InvalidInputError)) throw cause
    throw new InvalidInputError(`payload ${index} of the batch: ${cause.message}`, { cause })
  }
}

function chunks(plaintexts: readonly Uint8Array[]): Uint8Array[][] {
  const parts: Uint8Array[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const plaintext of plaintexts) {
    bytes += byteLengthOf(plaintext)
    if (bytes > MAX_PACKED_BYTES) {
      parts.push([])
      bytes = byteLengthOf(plaintext)
    }
    parts.at(-1)?.push(plaintext)
  }
  return parts
}

function pack(items: readonly Uint8Array[]): PackedRows {
  let total = 0
  for (const item of items) total += byteLengthOf(item)
  const packed = offHeapBytes(total)
  const ends = new Uint32Array(items.length)
  let end = 0
  let index = 0
  for (const item of items) {
    packed.set(item, end)
    end += byteLengthOf(item)
    ends[index] = end
    index += 1
  }
  return { packed, ends }
}

/** Copies, each in memory of its own. */
function split({ packed, ends }: PackedRows): Uint8Array[] {
  let start = 0
  return Array.from(ends, (end) => {
    const item = offHeapCopy(packed.subarray(start, end)) // not slice: a Buffer's is a view, and is wiped with it
    start = end
    return item
  })
}

function splitText({ packed, ends }: PackedRows): string[] {
  const buffer = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
  // Rows are ASCII but for a key id that is not, and Latin-1 is made several times quicker than UTF-8.
  const encoding = isAscii(buffer) ? 'latin1' : 'utf8'
  const texts: string[] = []
  let start = 0
  for (const end of ends) {
    texts.push(buffer.toString(encoding, start, end))
    start = end
  }
  return texts
}
