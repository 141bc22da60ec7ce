import { InputError } from '../errors.ts'
import { createByteQueue } from '../io/byte-queue.ts'
import { byteOrderMark, placeInRow } from './text.ts'

/** One row of a {@link CsvBlock}, by offsets into its bytes. */
export interface CsvRow {
  readonly start: number
  /** After the row's line end. */
  readonly end: number
  /** Where the last cell ends: before the line end. */
  readonly contentEnd: number
  /** Where each cell starts; a cell ends one byte before the next one starts, or at `contentEnd`. */
  readonly cells: readonly number[]
  /** The line that the row starts on, from 1. */
  readonly line: number
  /** How many lines the row takes, its own line end included. */
  readonly lines: number
}

/** Whole rows, and the bytes that they are in. Bytes before the first row are a byte order mark. */
export interface CsvBlock {
  readonly bytes: Buffer
  readonly rows: readonly CsvRow[]
}

/** What {@link scanCsv} takes. */
export interface CsvScanOptions {
  /** One ASCII character's code. */
  readonly delimiter: number
  readonly maxRowBytes: number
  /** The number of the first line. */
  readonly line: number
  /** Whether the bytes start the file: a byte order mark is possible there only. */
  readonly atStart: boolean
}

const quote = 0x22
const lineFeed = 0x0a
const carriageReturn = 0x0d

type State = 'cellStart' | 'plain' | 'quoted' | 'quoteSeen' | 'crSeen'

/**
 * Splits CSV (RFC 4180) into rows and cells without changing a byte.
 *
 * A library parser gives values, not the bytes around them; copying untouched cells byte for byte needs each cell's
 * span. The tests hold this scanner to `csv-parse` on generated files.
 */
export async function* scanCsv(
  source: AsyncIterable<Uint8Array>,
  options: CsvScanOptions,
): AsyncGenerator<CsvBlock, void, void> {
  const queue = createByteQueue()
  const scanner = createRowScanner(options)
  let head = options.atStart
  for await (const chunk of source) {
    queue.push(chunk)
    if (head && queue.length < 3) continue
    const bytes = queue.bytes()
    const rows = scanner.scan(bytes, head ? byteOrderMark(bytes) : 0, false)
    head = false
    yield { bytes, rows }
    queue.consume(rows.at(-1)?.end ?? 0)
  }
  const bytes = queue.bytes()
  yield { bytes, rows: scanner.scan(bytes, head ? byteOrderMark(bytes) : 0, true) }
}

interface RowScanner {
  /** Scans on where the last call stopped; `bytes` starts with the row that was incomplete then. */
  scan(bytes: Buffer, skip: number, end: boolean): CsvRow[]
}

function createRowScanner(options: CsvScanOptions): RowScanner {
  const { delimiter } = options
  let line = options.line
  let rowStart = 0
  let at = 0
  let cells: number[] = []
  let newlines = 0
  let quoteAt = 0
  let state: State = 'cellStart'

  const fail = (bytes: Buffer, offset: number, message: string): never => {
    throw new InputError(message, placeInRow(bytes.subarray(rowStart), offset - rowStart, line))
  }

  return {
    scan(bytes, skip, end) {
      const rows: CsvRow[] = []
      at += skip
      rowStart += skip
      if (cells.length === 0) cells.push(rowStart)
      const finishRow = (contentEnd: number, rowEnd: number): void => {
        const lines = newlines + 1
        rows.push({ start: rowStart, end: rowEnd, contentEnd, cells, line, lines })
        line += lines
        newlines = 0
        rowStart = rowEnd
        cells = [rowEnd]
        state = 'cellStart'
      }
      for (; at < bytes.length; at++) {
        const byte = bytes[at]
        if (state === 'quoted') {
          if (byte === quote) state = 'quoteSeen'
          else if (byte === lineFeed) newlines++
        } else if (byte === lineFeed) {
          finishRow(state === 'crSeen' ? at - 1 : at, at + 1)
        } else if (state === 'crSeen') {
          fail(bytes, at - 1, 'a bare carriage return: rows must end in LF or CRLF')
        } else if (byte === delimiter) {
          cells.push(at + 1)
          state = 'cellStart'
        } else if (byte === carriageReturn) {
          state = 'crSeen'
        } else if (byte === quote) {
          if (state === 'plain') fail(bytes, at, 'a quote inside a cell that does not start with one')
          if (state === 'cellStart') quoteAt = at
          state = 'quoted'
        } else if (state === 'quoteSeen') {
          fail(bytes, at, 'text after a closing quote: a quote inside a quoted cell must be doubled')
        } else {
          state = 'plain'
        }
      }
      if (end) {
        if (state === 'quoted') fail(bytes, quoteAt, 'this quote is never closed')
        if (state === 'crSeen') fail(bytes, at - 1, 'a bare carriage return: rows must end in LF or CRLF')
        if (at > rowStart) finishRow(at, at)
      } else if (at - rowStart > options.maxRowBytes) {
        const hint = state === 'quoted' ? ': is the quote that opens here ever closed?' : ''
        fail(bytes, state === 'quoted' ? quoteAt : rowStart, `a row over ${options.maxRowBytes} bytes${hint}`)
      }
      // The caller drops what precedes the incomplete row, so offsets now count from there.
      const base = rows.at(-1)?.end ?? 0
      at -= base
      rowStart -= base
      quoteAt -= base
      if (base > 0) cells = cells.map((cell) => cell - base)
      return rows
    },
  }
}
