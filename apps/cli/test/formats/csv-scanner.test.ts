import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeCell } from '../../src/formats/csv-cell.ts'
import { type CsvRow, scanCsv } from '../../src/formats/csv-scanner.ts'
import { csvFile, type GeneratedCsv } from '../generate-csv.ts'

async function scan(text: string | Uint8Array, pieces: readonly number[], delimiter = ',', maxRowBytes = 1_000_000) {
  const bytes = Buffer.from(text)
  async function* source(): AsyncGenerator<Uint8Array> {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = pieces[turn % pieces.length] ?? 1
      yield bytes.subarray(at, at + size)
      at += size
    }
  }
  const rows: { readonly cells: string[]; readonly raw: string; readonly line: number }[] = []
  const options = { delimiter: delimiter.charCodeAt(0), maxRowBytes, line: 1, atStart: true }
  for await (const block of scanCsv(source(), options)) {
    for (const row of block.rows) {
      rows.push({
        cells: cellsOf(block.bytes, row).map((cell) =>
          Buffer.from(decodeCell(cell, options.delimiter).value).toString(),
        ),
        raw: block.bytes.toString('utf8', row.start, row.end),
        line: row.line,
      })
    }
  }
  return rows
}

function cellsOf(bytes: Buffer, row: CsvRow): Buffer[] {
  return row.cells.map((start, index) => {
    const next = row.cells[index + 1]
    return bytes.subarray(start, next === undefined ? row.contentEnd : next - 1)
  })
}

test('finds the cells that csv-parse finds, however the bytes arrive, and loses none of them', async () => {
  await fc.assert(
    fc.asyncProperty(csvFile(), fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), async (file, pieces) => {
      const rows = await scan(file.text, pieces, file.delimiter)
      expect(rows.map(({ raw }) => raw).join('')).toBe(withoutMark(file))
      const expected = parse(file.text, {
        bom: true,
        delimiter: file.delimiter,
        relax_column_count: true,
        skip_empty_lines: false,
        record_delimiter: ['\r\n', '\n'],
      })
      expect(rows.map(({ cells }) => cells)).toEqual(expected)
    }),
    { numRuns: 300 },
  )
})

function withoutMark(file: GeneratedCsv): string {
  return file.text.replace(/^\uFEFF/, '')
}

test('numbers the lines of rows that hold line ends', async () => {
  const rows = await scan('a,b\n1,"x\ny\r\nz"\n2,"\n"\n3,4', [3])
  expect(rows.map(({ line }) => line)).toEqual([1, 2, 5, 7])
})

test.each([
  ['a quote inside an unquoted cell', 'a,b\n1,x"y\n', 2, 4, /quote inside a cell/],
  ['text after a closing quote', 'a,b\n"x"y,2\n', 2, 4, /after a closing quote/],
  ['a quote that is never closed', 'a,b\n1,2\n3,"x\ny\n', 3, 3, /never closed/],
  ['a bare carriage return', 'a,b\n1,x\ry\n', 2, 4, /bare carriage return/],
  ['a bare carriage return at the end', 'a,b\n1,x\r', 2, 4, /bare carriage return/],
  ['columns count characters, not bytes', 'a,b\né🎉"x\n', 2, 3, /quote inside a cell/],
  ['a fault on a later line of a row', 'a,b\n"é\nü"x,2\n', 3, 3, /after a closing quote/],
])('%s is an error at its line and column', async (_name, text, line, column, message) => {
  for (const pieces of [[1], [2, 3], [1_000]]) {
    const error = await scan(text, pieces).catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'ERR_ASHERAH_INVALID_INPUT', place: { line, column } })
    expect(String(error)).toMatch(message)
  }
})

test('a row over the limit is an error that points at the open quote, not a full memory', async () => {
  const text = `a,b\n1,"${'x'.repeat(5_000)}`
  const error = await scan(text, [100], ',', 1_000).catch((caught: unknown) => caught)
  expect(error).toMatchObject({ place: { line: 2, column: 3 } })
})

test('UTF-16 is refused, not taken for strange bytes', async () => {
  await expect(scan(Buffer.from('\uFEFFa,b\n', 'utf16le'), [100])).rejects.toThrow(/UTF-16/)
})
