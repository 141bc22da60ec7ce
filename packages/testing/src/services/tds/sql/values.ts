import type { Collation } from '../collation.ts'
import { EPOCH, type Moment, type SqlType, TICKS_PER_DAY, TICKS_PER_SECOND, type Value } from '../types.ts'
import { SqlError } from './sql-error.ts'

/** What an expression gives. A collation that was written (`COLLATE`) wins over a column's, and that over the database's. */
export interface Typed {
  readonly type: SqlType
  readonly value: Value
  readonly collation?: { readonly rules: Collation; readonly explicit: boolean }
}

const MAX_INT = 2n ** 31n - 1n
const MAX_BIGINT = 2n ** 63n - 1n
/** 1753-01-01, DATETIME's first day. */
const FIRST_DATETIME = 639_905n * TICKS_PER_DAY
/** After 9999-12-31. */
const END_OF_TIME = 3_652_059n * TICKS_PER_DAY

/** A whole number of its type. @throws SqlError 8115 where it does not fit. */
export function number(kind: 'int' | 'bigint' | 'bit', value: bigint): Typed {
  const max = kind === 'bigint' ? MAX_BIGINT : MAX_INT
  if (value > max || value < -max - 1n) {
    throw new SqlError(8115, `Arithmetic overflow error converting expression to data type ${kind}.`)
  }
  return { type: { kind }, value }
}

type TextType = Extract<SqlType, { readonly length: number }>

export function isText(type: SqlType): type is TextType {
  return type.kind === 'nvarchar' || type.kind === 'varchar'
}

export function isNumber(type: SqlType): boolean {
  return type.kind === 'int' || type.kind === 'bigint' || type.kind === 'bit'
}

export function isMoment(value: Value): value is Moment {
  return value !== null && typeof value === 'object'
}

/** DATETIME keeps 1/300 s. @throws SqlError 517 outside its years. */
export function datetime(ticks: bigint): Typed {
  const day = ticks / TICKS_PER_DAY
  const thirds = ((ticks % TICKS_PER_DAY) * 3n + 50_000n) / 100_000n
  // What a client reads back is that third in whole ms (.000, .003, .007).
  const rounded = day * TICKS_PER_DAY + ((thirds * 10n + 1n) / 3n) * 10_000n
  if (rounded < FIRST_DATETIME || rounded >= END_OF_TIME) {
    throw new SqlError(517, "Adding a value to a 'datetime' column caused an overflow.")
  }
  return { type: { kind: 'datetime' }, value: { ticks: rounded } }
}

/** DATETIME2 keeps 10^-scale s. @throws SqlError 517 outside its years. */
export function datetime2(scale: number, ticks: bigint): Typed {
  const step = 10n ** BigInt(7 - scale)
  const rounded = ((ticks + step / 2n) / step) * step
  if (rounded < 0n || rounded >= END_OF_TIME) {
    throw new SqlError(517, "Adding a value to a 'datetime2' column caused an overflow.")
  }
  return { type: { kind: 'datetime2', scale }, value: { ticks: rounded } }
}

/** Converts as CAST and CONVERT do, and as an assignment to a column does. @throws SqlError */
export function convert(from: Typed, type: SqlType, style: number): Typed {
  const { value } = from
  if (value === null) return { ...from, type }
  if (isText(type)) return { ...from, type, value: cutTo(type.length, textOf(from, style)) }
  if (type.kind === 'datetime' || type.kind === 'datetime2') {
    const ticks = isMoment(value) ? value.ticks : typeof value === 'string' ? parseMoment(value) : undefined
    if (ticks === undefined) return refuse(from.type, type)
    return type.kind === 'datetime2' ? datetime2(type.scale, ticks) : datetime(ticks)
  }
  if (typeof value !== 'bigint') return refuse(from.type, type)
  return number(type.kind, type.kind === 'bit' && value !== 0n ? 1n : value)
}

function refuse(from: SqlType, to: SqlType): never {
  throw new SqlError(529, `this server does not convert ${from.kind} to ${to.kind}`)
}

function cutTo(length: number, text: string): string {
  return length === 0 ? text : text.slice(0, length)
}

function textOf({ value, type }: Typed, style: number): string {
  if (typeof value === 'string') return value
  if (typeof value === 'bigint') return value.toString()
  if (value === null || style !== 126)
    throw new SqlError(529, `this server does not write ${type.kind} in style ${style}`)
  const { day, second, fraction } = parts(value)
  // ISO 8601; DATETIME leaves a fraction of zero out, DATETIME2 has as many digits as its scale.
  const digits = fraction.toString().padStart(7, '0')
  const shown = type.kind === 'datetime2' ? digits.slice(0, type.scale) : fraction === 0n ? '' : digits.slice(0, 3)
  return `${day}T${second}${shown === '' ? '' : `.${shown}`}`
}

function parts({ ticks }: Moment): { readonly day: string; readonly second: string; readonly fraction: bigint } {
  const seconds = (ticks - EPOCH) / TICKS_PER_SECOND
  const fraction = ticks % TICKS_PER_SECOND
  const whole = Number(fraction !== 0n && ticks < EPOCH ? seconds - 1n : seconds)
  const [day = '', second = ''] = new Date(whole * 1_000).toISOString().slice(0, 19).split('T')
  return { day, second, fraction }
}

const MOMENT = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,7}))?)?$/

/** @throws SqlError 241 */
function parseMoment(text: string): bigint {
  const [, day, second = '00:00:00', fraction = ''] = MOMENT.exec(text) ?? []
  const ms = Date.parse(`${day}T${second}Z`)
  if (Number.isNaN(ms)) {
    throw new SqlError(241, 'Conversion failed when converting date and/or time from character string.')
  }
  return EPOCH + BigInt(ms) * 10_000n + BigInt(fraction.padEnd(7, '0'))
}
