import type { Fault } from './record-fields.ts'

/**
 * The names that matter in an object, and what to do with their values. `base64`: a string whose characters will be
 * checked when it is decoded. `value`: any scalar. An object: its own names, in turn.
 */
export interface JsonShape {
  readonly [name: string]: JsonShape | 'base64' | 'value'
}

interface Cursor {
  readonly text: string
  readonly fault: Fault
  at: number
  /** The first backslash at or after some position that has been passed: see {@link nextBackslash}. */
  backslash: number
}

const MAX_DEPTH = 64
/** The digits of 2^53 - 1. */
const MAX_INTEGER_DIGITS = 16
const NO_NAMES: JsonShape = {}

const TAB = 0x09
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20
const QUOTE = 0x22
const PLUS = 0x2b
const COMMA = 0x2c
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30
const COLON = 0x3a
const BRACKET = 0x5b
const BACKSLASH = 0x5c
const END_BRACKET = 0x5d
const BRACE = 0x7b
const END_BRACE = 0x7d

/**
 * Reads one JSON text (RFC 8259) and nothing more lenient, keeping only the names of `shape`. Unlike `JSON.parse` it refuses
 * a name of the shape that is there twice, and tells `1.0` and `1e9` from plain integers.
 *
 * @returns what `JSON.parse` gives, except: objects have no prototype and hold the shape's names only; arrays, and objects
 * where the shape has none, are empty; numbers other than plain non-negative integers of at most 16 digits are NaN.
 * Strings may be slices of `text`, which they keep alive.
 * @throws what `fault` makes, on text that is not JSON, a duplicate, or nesting deeper than 64.
 */
export function scanJson(text: string, shape: JsonShape, fault: Fault): unknown {
  const cursor: Cursor = { text, fault, at: 0, backslash: -1 }
  skipSpace(cursor)
  const value = readValue(cursor, shape, '', 1)
  skipSpace(cursor)
  if (cursor.at < text.length) throw fault(`has text after the JSON value, at position ${cursor.at}`)
  return value
}

function readValue(cursor: Cursor, shape: JsonShape[string] | undefined, path: string, depth: number): unknown {
  switch (cursor.text.charCodeAt(cursor.at)) {
    case QUOTE:
      return shape === undefined ? skipString(cursor) : readString(cursor, shape === 'base64')
    case BRACE:
      return readObject(cursor, typeof shape === 'object' ? shape : NO_NAMES, path, depth)
    case BRACKET:
      return readArray(cursor, depth)
    case 0x74:
      return readWord(cursor, 'true', true)
    case 0x66:
      return readWord(cursor, 'false', false)
    case 0x6e:
      return readWord(cursor, 'null', null)
    default:
      return readNumber(cursor)
  }
}

function readObject(cursor: Cursor, shape: JsonShape, path: string, depth: number): Record<string, unknown> {
  const found: Record<string, unknown> = Object.create(null)
  open(cursor, depth)
  if (take(cursor, END_BRACE)) return found
  do {
    skipSpace(cursor)
    if (cursor.text.charCodeAt(cursor.at) !== QUOTE) throw unexpected(cursor)
    // Names are compared as they read, not as they are spelt: "D\u0061ta" is Data.
    const name = readString(cursor, false)
    skipSpace(cursor)
    if (!take(cursor, COLON)) throw unexpected(cursor)
    skipSpace(cursor)
    const known = Object.hasOwn(shape, name)
    if (known && Object.hasOwn(found, name)) throw cursor.fault(`has ${path}${name} twice`)
    const value = readValue(cursor, known ? shape[name] : undefined, known ? `${path}${name}.` : path, depth + 1)
    if (known) found[name] = value
    skipSpace(cursor)
  } while (take(cursor, COMMA))
  if (!take(cursor, END_BRACE)) throw unexpected(cursor)
  return found
}

function readArray(cursor: Cursor, depth: number): readonly unknown[] {
  open(cursor, depth)
  if (take(cursor, END_BRACKET)) return []
  do {
    skipSpace(cursor)
    readValue(cursor, undefined, '', depth + 1)
    skipSpace(cursor)
  } while (take(cursor, COMMA))
  if (!take(cursor, END_BRACKET)) throw unexpected(cursor)
  return []
}

function open(cursor: Cursor, depth: number): void {
  if (depth > MAX_DEPTH) throw cursor.fault(`is nested deeper than ${MAX_DEPTH}, at position ${cursor.at}`)
  cursor.at++
  skipSpace(cursor)
}

function readWord<T>(cursor: Cursor, word: string, value: T): T {
  if (!cursor.text.startsWith(word, cursor.at)) throw unexpected(cursor)
  cursor.at += word.length
  return value
}

function readString(cursor: Cursor, isBase64: boolean): string {
  const { text } = cursor
  const start = cursor.at + 1
  if (isBase64) {
    // A long text is worth two native searches. What else it must not hold, control characters, base64 refuses anyway.
    const end = text.indexOf('"', start)
    if (end >= 0 && nextBackslash(cursor) > end) {
      cursor.at = end + 1
      return text.slice(start, end)
    }
  }
  const escaped = skipString(cursor)
  const raw = text.slice(start, cursor.at - 1)
  if (!escaped) return raw
  // Cannot throw: skipString has checked it.
  const unescaped: string = JSON.parse(`"${raw}"`)
  return unescaped
}

/** Where the next backslash stands. Searched for once however many strings ask, so a text is never searched in full twice. */
function nextBackslash(cursor: Cursor): number {
  if (cursor.backslash < cursor.at) {
    const found = cursor.text.indexOf('\\', cursor.at)
    cursor.backslash = found < 0 ? Number.POSITIVE_INFINITY : found
  }
  return cursor.backslash
}

/** Goes past a string, checking it, and tells whether it holds escapes. */
function skipString(cursor: Cursor): boolean {
  const { text } = cursor
  let escaped = false
  for (cursor.at++; ; cursor.at++) {
    const code = text.charCodeAt(cursor.at)
    if (code === QUOTE) {
      cursor.at++
      return escaped
    }
    if (code === BACKSLASH) {
      escaped = true
      cursor.at++
      skipEscape(cursor)
    } else if (!(code >= SPACE)) {
      // A control character, or NaN: the end of the text.
      throw unexpected(cursor)
    }
  }
}

/** From the character after a backslash to the last one of the escape. */
function skipEscape(cursor: Cursor): void {
  const letter = cursor.text.charAt(cursor.at)
  if (letter === 'u') {
    for (let count = 0; count < 4; count++) {
      cursor.at++
      if (!isHexDigit(cursor.text.charCodeAt(cursor.at))) throw unexpected(cursor)
    }
  } else if (letter === '' || !'"\\/bfnrt'.includes(letter)) {
    throw unexpected(cursor)
  }
}

function readNumber(cursor: Cursor): number {
  const { text, at: start } = cursor
  const negative = take(cursor, MINUS)
  if (!take(cursor, ZERO)) skipDigits(cursor)
  const integerEnd = cursor.at
  if (take(cursor, DOT)) skipDigits(cursor)
  if ((text.charCodeAt(cursor.at) | 0x20) === 0x65) {
    cursor.at++
    if (!take(cursor, PLUS)) take(cursor, MINUS)
    skipDigits(cursor)
  }
  const plain = !negative && cursor.at === integerEnd && integerEnd - start <= MAX_INTEGER_DIGITS
  return plain ? Number(text.slice(start, integerEnd)) : Number.NaN
}

function skipDigits(cursor: Cursor): void {
  const start = cursor.at
  while (isDigit(cursor.text.charCodeAt(cursor.at))) cursor.at++
  if (cursor.at === start) throw unexpected(cursor)
}

function skipSpace(cursor: Cursor): void {
  for (; ; cursor.at++) {
    const code = cursor.text.charCodeAt(cursor.at)
    if (code !== SPACE && code !== LINE_FEED && code !== CARRIAGE_RETURN && code !== TAB) return
  }
}

function take(cursor: Cursor, code: number): boolean {
  if (cursor.text.charCodeAt(cursor.at) !== code) return false
  cursor.at++
  return true
}

function isDigit(code: number): boolean {
  return code >= ZERO && code <= 0x39
}

function isHexDigit(code: number): boolean {
  const lower = code | 0x20
  return isDigit(code) || (lower >= 0x61 && lower <= 0x66)
}

/** Says where, never what: a caller may have passed plaintext by mistake. */
function unexpected(cursor: Cursor): Error {
  const { at, text, fault } = cursor
  return fault(
    at < text.length ? `is not JSON: unexpected character at position ${at}` : 'is not JSON: it ends too early',
  )
}
