import fc from 'fast-check'

/** A CSV file as programs write them, quirks included. */
export interface GeneratedCsv {
  readonly text: string
  readonly delimiter: string
}

const header = ['id', 'tenant', 'secret', 'note', 'größe']

/** Files of five columns: any Unicode, quotes with and without need, LF and CRLF mixed, byte order mark, blank lines. */
export function csvFile(options: { readonly maxRows?: number } = {}): fc.Arbitrary<GeneratedCsv> {
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
    fc.constantFrom('"', '""', ',', ';', '\t', '\n', '\r\n', ' ', 'é', '🎉', '\u0000', '{"Key":1}'),
  )
  const value = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''))
  const cell = fc.record({ value, quoted: fc.boolean() })
  const tenant = fc.record({ value: fc.constantFrom('t1', 't2', 'ü', 'a "b"', 'x,y'), quoted: fc.boolean() })
  const row = fc.record({
    cells: fc.tuple(cell, tenant, cell, cell, cell),
    end: fc.constantFrom('\n', '\r\n'),
    blank: fc.integer({ min: 0, max: 9 }).map((chance) => chance === 0),
  })
  return fc
    .record({
      rows: fc.array(row, { maxLength: options.maxRows ?? 8 }),
      delimiter: fc.constantFrom(',', ';', '\t'),
      mark: fc.boolean(),
      lastEnd: fc.boolean(),
      quotedHeader: fc.boolean(),
    })
    .map(({ rows, delimiter, mark, lastEnd, quotedHeader }) => {
      const lines = [
        `${header.map((name) => writeCell({ value: name, quoted: quotedHeader }, delimiter)).join(delimiter)}\n`,
        ...rows.map(({ cells, end, blank }) =>
          blank ? end : `${cells.map((one) => writeCell(one, delimiter)).join(delimiter)}${end}`,
        ),
      ]
      const text = lines.join('')
      return { delimiter, text: (mark ? '\uFEFF' : '') + (lastEnd ? text : text.replace(/\r?\n$/, '')) }
    })
}

function writeCell(cell: { readonly value: string; readonly quoted: boolean }, delimiter: string): string {
  const needed = /["\r\n]/.test(cell.value) || cell.value.includes(delimiter)
  return cell.quoted || needed ? `"${cell.value.replaceAll('"', '""')}"` : cell.value
}
