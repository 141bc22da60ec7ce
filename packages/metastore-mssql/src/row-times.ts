import type { StoredRow } from '@asherah/sql-shared'
import type { StatementRow } from './statement.ts'
import type { TimeZone } from './time-zone.ts'

/** A row, and its `created` as the server wrote it. */
export interface TimedRow extends StoredRow {
  readonly createdText: string
  /** Unix seconds. */
  readonly seconds: number | null
}

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?$/

/** @param zone The zone of the column; undefined: UTC. */
export function timedRow(row: StatementRow, zone: TimeZone | undefined): TimedRow {
  const { id, created, key_record: keyRecord } = row
  const createdText = String(created)
  return { id, keyRecord, createdText, seconds: secondsOf(createdText, keyRecord, zone) }
}

/** Null: not a whole second, or one that the zone's clock never shows. */
function secondsOf(text: string, keyRecord: unknown, zone: TimeZone | undefined): number | null {
  const [, second, fraction = ''] = TIME.exec(text) ?? []
  if (second === undefined || /[1-9]/.test(fraction)) return null
  const shown = Date.parse(`${second}Z`) / 1_000
  if (zone === undefined) return shown
  const instants = zone.fromLocal(shown)
  // In an hour that the clock repeats, the record says which of the two it was.
  const recorded = instants.length > 1 ? createdOf(keyRecord) : undefined
  return instants.find((instant) => instant === recorded) ?? instants[0] ?? null
}

/** Not more than a look: the record is parsed and checked where it is read. */
function createdOf(keyRecord: unknown): number | undefined {
  const [, digits] =
    /"Created"\s*:\s*(\d{1,15})/.exec(String(keyRecord).replace(/"ParentKeyMeta"\s*:\s*\{[^}]*\}/, '')) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** A moment after this row and before any later one, whatever the precision of the column. */
export function justAfter({ createdText }: TimedRow): string {
  const [, second = createdText, fraction = ''] = TIME.exec(createdText) ?? []
  return `${second}.${fraction.padEnd(3, '0').padEnd(7, '9').slice(0, 7)}`
}
