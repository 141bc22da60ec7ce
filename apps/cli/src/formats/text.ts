import { InputError, type Place } from '../errors.ts'

/** Rows longer than this are refused when encrypting: most often a closing quote is missing. */
export const maxPlainRowBytes = 16 * 1024 * 1024
/** Encrypted rows are longer: base64 is a third more, and each value brings its key and key ids. */
export const maxEncryptedRowBytes = 64 * 1024 * 1024

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text of UTF-8 bytes, exactly: a byte order mark stays, a malformed sequence is an error at `place`. */
export function decodeUtf8(bytes: Uint8Array, place: () => Place): string {
  try {
    return decoder.decode(bytes)
  } catch {
    // The decoder's own error says nothing more.
    throw new InputError('not valid UTF-8', place())
  }
}

/** A UTF-8 byte order mark at the start: its length, or 0. UTF-16 is refused. */
export function byteOrderMark(bytes: Uint8Array): number {
  const [a, b, c] = bytes
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw new InputError('the file is UTF-16: convert it to UTF-8 first', { line: 1, column: 1 })
  }
  return a === 0xef && b === 0xbb && c === 0xbf ? 3 : 0
}

/** The column, in characters from 1, of a byte of one line. */
function columnOf(line: Uint8Array, offset: number): number {
  let characters = 0
  // Count the bytes that start a character: right for UTF-8, and close enough for what is not.
  for (const byte of line.subarray(0, offset)) if ((byte & 0xc0) !== 0x80) characters++
  return characters + 1
}

/** The line and column of a byte of a row that may run over several lines. */
export function placeInRow(row: Uint8Array, offset: number, firstLine: number): Place {
  let line = firstLine
  let lineStart = 0
  for (let index = row.indexOf(10); index !== -1 && index < offset; index = row.indexOf(10, index + 1)) {
    line++
    lineStart = index + 1
  }
  return { line, column: columnOf(row.subarray(lineStart), offset - lineStart) }
}

/** True when bytes or text look like a data row record: a JSON object. Tells plain values from encrypted ones. */
export function looksLikeRecord(text: string): boolean {
  return /^\s*\{/.test(text)
}
