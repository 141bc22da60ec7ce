import { InputError, type Place } from '../errors.ts'
import { looksLikeRecord } from './text.ts'

const quote = 0x22

/** A cell's value, and whether it was quoted otherwise than CSV's rules ask. */
export interface CellValue {
  readonly value: Uint8Array
  /** Set when the quoting cannot be told from the value: quoted without need. */
  readonly quoted: boolean
}

/** The value of a raw cell: outer quotes dropped, doubled quotes halved, every other byte kept. */
export function decodeCell(cell: Buffer, delimiter: number): CellValue {
  if (cell[0] !== quote) return { value: cell, quoted: false }
  const inner = cell.subarray(1, -1)
  // latin1 maps bytes to characters one to one, so that any encoding goes through unchanged.
  const value = inner.includes(quote) ? Buffer.from(inner.toString('latin1').replaceAll('""', '"'), 'latin1') : inner
  return { value, quoted: !needsQuotes(value, delimiter) }
}

/** A raw cell of a value: quoted where the value needs it, or where the original was. */
export function quoteCell(value: Uint8Array, quoted: boolean, delimiter: number): Uint8Array {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  if (!quoted && !needsQuotes(bytes, delimiter)) return bytes
  return Buffer.from(`"${bytes.toString('latin1').replaceAll('"', '""')}"`, 'latin1')
}

/**
 * A raw cell that holds a record.
 *
 * A cell that was quoted without need gets one member more, `"Quoted":true`: readers ignore members they do not know.
 */
export function encodeRecordCell(record: string, quoted: boolean): string {
  const marked = quoted ? `${record.slice(0, -1)},"Quoted":true}` : record
  return `"${marked.replaceAll('"', '""')}"`
}

/** The record text of a cell, and its quoting mark. */
export function readRecordCell(text: string, place: () => Place): { record: string; quoted: boolean } {
  if (!looksLikeRecord(text)) throw new InputError('the cell holds no encrypted value', place())
  return { record: text, quoted: text.includes('"Quoted"') && isMarked(text) }
}

function isMarked(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text)
    return typeof parsed === 'object' && parsed !== null && 'Quoted' in parsed && parsed.Quoted === true
  } catch {
    // Not JSON: decrypting it says so, with its place.
    return false
  }
}

function needsQuotes(value: Uint8Array, delimiter: number): boolean {
  return value.includes(quote) || value.includes(delimiter) || value.includes(0x0a) || value.includes(0x0d)
}
