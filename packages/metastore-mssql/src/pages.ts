import { type AskedRow, PAGE_ROWS, type StoredRow } from '@asherah/sql-shared'
import { justAfter, type TimedRow, timedRow } from './row-times.ts'
import type { MssqlConnection, StatementValue } from './statement.ts'
import type { StatementTexts } from './statements.ts'
import type { TimeZone } from './time-zone.ts'

/** From here on, UTF-16 units and UTF-8 bytes order differently. */
const FIRST_SURROGATE = 0xd800
const LAST_BEFORE = '\ud7ff'

/**
 * At least {@link PAGE_ROWS} rows after a key, or the last ones, by the bytes of their id, then by created.
 *
 * The server orders by UTF-16 units, and a shorter id as if it ended in spaces. That is the order of bytes but for ids
 * with characters beyond U+D7FF and with control characters: rows are read on until all that belong before the last one
 * are there.
 */
export async function readPage(
  connection: MssqlConnection,
  texts: StatementTexts,
  zone: TimeZone | undefined,
  after: AskedRow | undefined,
): Promise<StoredRow[]> {
  const read: TimedRow[] = []
  let last: TimedRow | undefined
  for (;;) {
    const [text, parameters] = nextStatement(texts, after, last)
    const { rows } = await connection.run(text, parameters)
    const chunk = rows.map((row) => timedRow(row, zone))
    read.push(...chunk)
    last = chunk.at(-1)
    const isEnd = last === undefined || chunk.length < PAGE_ROWS
    const lastId = idOf(last)
    const later = read.filter((row) => isLater(row, after))
    // Local times of one id may be out of order where a clock was set back: its rows stay together.
    const whole = isEnd || zone === undefined ? later : later.filter((row) => idOf(row) !== lastId)
    if (isEnd || (whole.length >= PAGE_ROWS && !read.some((row) => mayPrecede(idOf(row), lastId)))) {
      return whole.toSorted(compareRows)
    }
  }
}

function nextStatement(
  texts: StatementTexts,
  after: AskedRow | undefined,
  last: TimedRow | undefined,
): readonly [string, Readonly<Record<string, StatementValue>>] {
  if (last !== undefined) return [texts.pageAfter, { id: idOf(last), after: justAfter(last) }]
  return after === undefined ? [texts.firstPage, {}] : [texts.pageFrom, { id: startOf(after.keyId) }]
}

/** What the server orders before every id that comes after this one by its bytes. */
function startOf(keyId: string): string {
  const high = firstHigh(keyId)
  return high < 0 ? `${keyId.replace(/ +$/, '')}\0` : keyId.slice(0, high) + LAST_BEFORE
}

/** Whether rows may still come that belong before this one, though the server has come as far as `lastId`. */
function mayPrecede(id: string, lastId: string): boolean {
  const high = firstHigh(id)
  if (high >= 0 && lastId.startsWith(id.slice(0, high)) && lastId.charCodeAt(high) >= FIRST_SURROGATE) return true
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ids may have them
  const [start] = /^[^\0-\x1f]*(?=[\0-\x1f])/.exec(id) ?? []
  if (start === undefined) return false
  const stem = start.replace(/ +$/, '')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ids may have them
  return lastId.startsWith(stem) && /^ *(?:[\0-\x1f]|$)/.test(lastId.slice(stem.length))
}

function firstHigh(id: string): number {
  for (let at = 0; at < id.length; at++) if (id.charCodeAt(at) >= FIRST_SURROGATE) return at
  return -1
}

function isLater(row: TimedRow, after: AskedRow | undefined): boolean {
  if (after === undefined) return true
  const order = compareIds(idOf(row), after.keyId)
  if (order !== 0 || after.created === undefined) return order > 0
  return (row.seconds ?? Number.POSITIVE_INFINITY) > after.created
}

function compareRows(a: TimedRow, b: TimedRow): number {
  const [x, y] = [a, b].map(({ seconds }) => seconds ?? Number.MAX_VALUE)
  return compareIds(idOf(a), idOf(b)) || (x ?? 0) - (y ?? 0)
}

function compareIds(a: string, b: string): number {
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function idOf(row: StoredRow | undefined): string {
  return typeof row?.id === 'string' ? row.id : ''
}
