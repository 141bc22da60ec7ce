/** The formats that the command reads and writes. `record` is one bare data row record. */
export type FormatName = 'csv' | 'jsonl' | 'file' | 'record'

/** Which way a run goes. */
export type Direction = 'encrypt' | 'decrypt'

/** Encrypts and decrypts single values; the formats know nothing else of keys. */
export interface Cipher {
  /** @returns A data row record as wire text. */
  encrypt(partition: string, plaintext: Uint8Array): Promise<string>
  /** @param record Wire text, or its bytes. */
  decrypt(partition: string, record: string | Uint8Array): Promise<Uint8Array>
}

/** How far a run has come, always at the end of a whole row. A journal keeps it, so it is plain JSON. */
export interface Position {
  /** Bytes of input used. */
  readonly input: number
  /** Bytes of output that they became. */
  readonly output: number
  /** Rows of CSV and JSONL, chunks of a file. */
  readonly rows: number
  /** Values encrypted or decrypted. */
  readonly values: number
  /** The number of the line that comes next, from 1. */
  readonly line: number
  /** The id of a chunked file, which a resumed run goes on with; empty elsewhere. */
  readonly fileId: string
}

/** Where every run starts. */
export const startPosition: Position = { input: 0, output: 0, rows: 0, values: 0, line: 1, fileId: '' }

/** Some whole rows of output, and the position after them. */
export interface Batch {
  readonly output: Uint8Array
  readonly position: Position
}

/** Opens the input at a byte offset. An input that is a pipe can be opened once, at 0. */
export type OpenInput = (from: number) => AsyncIterable<Uint8Array>

/**
 * One format in one direction: reads from `open(position.input)` and yields output in order.
 *
 * @throws InputError for input that is malformed or cannot be decrypted, with its line and column.
 */
export type Codec = (open: OpenInput, position: Position) => AsyncGenerator<Batch, void, void>

/** Where the partition of a row comes from. */
export type PartitionSource =
  | { readonly kind: 'fixed'; readonly partition: string }
  | { readonly kind: 'field'; readonly field: string }

/** What the row formats need. */
export interface RowCodecOptions {
  readonly direction: Direction
  readonly cipher: Cipher
  readonly fields: readonly string[]
  readonly partition: PartitionSource
  /** Values in work at once. */
  readonly concurrency: number
}

/** Positions and line numbers move on; this is the one place that adds them up. */
export function advance(
  position: Position,
  by: {
    readonly input: number
    readonly output: number
    readonly rows?: number
    readonly values?: number
    readonly lines?: number
    readonly fileId?: string
  },
): Position {
  return {
    input: position.input + by.input,
    output: position.output + by.output,
    rows: position.rows + (by.rows ?? 0),
    values: position.values + (by.values ?? 0),
    line: position.line + (by.lines ?? 0),
    fileId: by.fileId ?? position.fileId,
  }
}

/**
 * Waits for all, then throws the error of the first in order that failed: the lowest line is reported, whichever
 * failed first in time, and nothing is left running.
 */
export async function allInOrder<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const settled = await Promise.allSettled(work)
  return settled.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
