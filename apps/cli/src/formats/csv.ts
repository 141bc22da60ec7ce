import { InvalidConfigError } from '@asherah/core'
import { atPlace, InputError, type Place } from '../errors.ts'
import { joinPieces } from '../io/byte-queue.ts'
import { decodeCell, encodeRecordCell, quoteCell, readRecordCell } from './csv-cell.ts'
import { type CsvBlock, type CsvRow, scanCsv } from './csv-scanner.ts'
import { advance, allInOrder, type Codec, type OpenInput, type Position, type RowCodecOptions } from './format.ts'
import { decodeUtf8, maxEncryptedRowBytes, maxPlainRowBytes, placeInRow } from './text.ts'

/** What {@link createCsvCodec} takes. */
export interface CsvCodecOptions extends RowCodecOptions {
  /** One ASCII character. */
  readonly delimiter: string
}

/** A cell's replacement: bytes `start` to `end` of the block become `text`. */
interface Edit {
  readonly start: number
  readonly end: number
  readonly text: Uint8Array | string
}

interface Header {
  readonly width: number
  readonly fields: readonly { readonly index: number; readonly name: string }[]
  /** The partition's column; -1 when the partition is fixed. */
  readonly partition: number
}

/**
 * Encrypts or decrypts columns of a CSV file with a header line.
 *
 * Every byte outside the chosen cells is copied as it is: quoting, line ends, byte order mark, blank lines and a
 * missing last line end. A cell's value is encrypted; how it was quoted is kept where CSV's rules do not imply it.
 */
export function createCsvCodec(options: CsvCodecOptions): Codec {
  const delimiter = options.delimiter.charCodeAt(0)
  const maxRowBytes = options.direction === 'encrypt' ? maxPlainRowBytes : maxEncryptedRowBytes
  const rowsAtOnce = Math.max(1, Math.floor(options.concurrency / options.fields.length))

  async function* scan(open: OpenInput, from: Position): AsyncGenerator<CsvBlock, void, void> {
    yield* scanCsv(open(from.input), { delimiter, maxRowBytes, line: from.line, atStart: from.input === 0 })
  }

  return async function* csv(open, start) {
    let position = start
    // A resumed run starts in the middle: the header is read from the file's start again.
    let header = start.input === 0 ? undefined : await readHeader(scan(open, { ...start, input: 0, line: 1 }), options)
    for await (const { bytes, rows } of scan(open, position)) {
      let done = 0
      let next = 0
      const [first] = rows
      if (header === undefined && first !== undefined) {
        header = parseHeader(bytes, first, options)
        next = 1
        const passed = bytes.subarray(0, first.end)
        position = advance(position, { input: passed.length, output: passed.length, lines: first.lines })
        done = first.end
        yield { output: passed, position }
      }
      while (header !== undefined && next < rows.length) {
        const slice = rows.slice(next, next + rowsAtOnce)
        next += slice.length
        const end = slice.at(-1)?.end ?? done
        const batch = await convertRows(bytes, done, end, slice, header)
        position = advance(position, { ...batch, input: end - done, output: batch.bytes.length })
        done = end
        yield { output: batch.bytes, position }
      }
    }
    if (header === undefined) {
      throw new InputError('the file is empty: CSV needs a header line', { line: 1, column: 1 })
    }
  }

  async function convertRows(bytes: Buffer, from: number, to: number, rows: readonly CsvRow[], header: Header) {
    const edits = await allInOrder(rows.map((row) => convertRow(bytes, row, header)))
    const pieces: (Uint8Array | string)[] = []
    let copied = from
    let values = 0
    for (const edit of edits.flat()) {
      pieces.push(bytes.subarray(copied, edit.start), edit.text)
      copied = edit.end
      values++
    }
    pieces.push(bytes.subarray(copied, to))
    return {
      bytes: joinPieces(pieces),
      values,
      rows: rows.reduce((count, row) => count + (isBlank(row, header) ? 0 : 1), 0),
      lines: rows.reduce((count, row) => count + row.lines, 0),
    }
  }

  async function convertRow(bytes: Buffer, row: CsvRow, header: Header): Promise<readonly Edit[]> {
    if (isBlank(row, header)) return []
    if (row.cells.length !== header.width) {
      const cells = row.cells.length === 1 ? '1 cell' : `${row.cells.length} cells`
      const extra = row.cells[Math.min(row.cells.length, header.width)] ?? row.contentEnd
      throw new InputError(`the row has ${cells}, the header ${header.width}`, placeIn(bytes, row, extra))
    }
    const partition = partitionOf(bytes, row, header)
    return allInOrder(
      header.fields.map(async ({ index, name }): Promise<Edit> => {
        const [start, end] = cellSpan(row, index)
        const cell = bytes.subarray(start, end)
        const place = (): Place => ({ ...placeIn(bytes, row, start), field: name })
        try {
          return { start, end, text: await convertCell(cell, partition, place) }
        } catch (error) {
          throw atPlace(error, place)
        }
      }),
    )
  }

  async function convertCell(cell: Buffer, partition: string, place: () => Place): Promise<Uint8Array | string> {
    if (options.direction === 'encrypt') {
      const { value, quoted } = decodeCell(cell, delimiter)
      return encodeRecordCell(await options.cipher.encrypt(partition, value), quoted)
    }
    const { record, quoted } = readRecordCell(decodeUtf8(decodeCell(cell, delimiter).value, place), place)
    return quoteCell(await options.cipher.decrypt(partition, record), quoted, delimiter)
  }

  function partitionOf(bytes: Buffer, row: CsvRow, header: Header): string {
    const { partition: source } = options
    if (source.kind === 'fixed') return source.partition
    const [start, end] = cellSpan(row, header.partition)
    const { field } = source
    const place = (): Place => ({ ...placeIn(bytes, row, start), field })
    const partition = decodeUtf8(decodeCell(bytes.subarray(start, end), delimiter).value, place)
    if (partition === '') throw new InputError('the partition is empty', place())
    return partition
  }
}

async function readHeader(blocks: AsyncGenerator<CsvBlock, void, void>, options: CsvCodecOptions): Promise<Header> {
  for await (const { bytes, rows } of blocks) {
    const [first] = rows
    if (first !== undefined) return parseHeader(bytes, first, options)
  }
  throw new InputError('the file is empty: CSV needs a header line', { line: 1, column: 1 })
}

function parseHeader(bytes: Buffer, row: CsvRow, options: CsvCodecOptions): Header {
  const names = row.cells.map((_, index) => {
    const [start, end] = cellSpan(row, index)
    const cell = bytes.subarray(start, end)
    return decodeUtf8(decodeCell(cell, options.delimiter.charCodeAt(0)).value, () => placeIn(bytes, row, start))
  })
  const find = (name: string): number => {
    const index = names.indexOf(name)
    if (index === -1)
      throw new InputError(missingColumn(name, names, options.delimiter), placeIn(bytes, row, row.start))
    const again = names.indexOf(name, index + 1)
    if (again !== -1) {
      throw new InputError(`the header names '${name}' twice`, placeIn(bytes, row, cellSpan(row, again)[0]))
    }
    return index
  }
  const fields = options.fields.map((name) => ({ index: find(name), name })).sort((a, b) => a.index - b.index)
  const partition = options.partition.kind === 'field' ? find(options.partition.field) : -1
  if (fields.some(({ index }) => index === partition)) {
    throw new InvalidConfigError('the partition field cannot be one of the encrypted fields')
  }
  return { width: names.length, fields, partition }
}

// Only a name that is nearly the one asked for is shown: in a file without a header the first line is data.
function missingColumn(name: string, names: readonly string[], delimiter: string): string {
  const near = names.find((other) => other.trim().toLowerCase() === name.trim().toLowerCase())
  const columns = names.length === 1 ? '1 column' : `${names.length} columns`
  const delimiters = names.length === 1 ? delimitersIn(names[0] ?? '', delimiter) : []
  const hint =
    near !== undefined
      ? `; there is '${near}'`
      : delimiters.length > 0
        ? `: if its columns are split by another character, give --delimiter '${delimiters[0]}'`
        : ''
  return `no column '${name}' in the header's ${columns}${hint}`
}

/** What else might split a header that has one column; as `--delimiter` takes it. */
function delimitersIn(header: string, delimiter: string): readonly string[] {
  const known = [';', '\t', '|', ',']
  return known.filter((one) => one !== delimiter && header.includes(one)).map((one) => (one === '\t' ? 'tab' : one))
}

/** Blank lines are copied; in a file of one column they are rows with an empty cell. */
function isBlank(row: CsvRow, header: Header): boolean {
  return header.width > 1 && row.contentEnd === row.start
}

function cellSpan(row: CsvRow, index: number): [start: number, end: number] {
  const next = row.cells[index + 1]
  return [row.cells[index] ?? row.contentEnd, next === undefined ? row.contentEnd : next - 1]
}

function placeIn(bytes: Buffer, row: CsvRow, offset: number): Place {
  return placeInRow(bytes.subarray(row.start, row.end), offset - row.start, row.line)
}
