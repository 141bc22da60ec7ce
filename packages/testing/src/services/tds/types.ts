/** The types that this server knows; a column or parameter of another one is refused. */
export type SqlType =
  | { readonly kind: 'int' | 'bigint' | 'bit' | 'datetime' }
  | { readonly kind: 'datetime2'; readonly scale: number }
  /** `length` in characters; 0 is MAX. */
  | { readonly kind: 'nvarchar' | 'varchar'; readonly length: number }

/** A date and time: 100 ns ticks since 0001-01-01. */
export interface Moment {
  readonly ticks: bigint
}

/** What a column or parameter holds; numbers of every width are bigints. */
export type Value = null | bigint | string | Moment

/** A column of an answer. */
export interface Column {
  readonly name: string
  readonly type: SqlType
}

export const TICKS_PER_SECOND = 10_000_000n
export const TICKS_PER_DAY: bigint = 86_400n * TICKS_PER_SECOND
/** 1970-01-01. */
export const EPOCH: bigint = 719_162n * TICKS_PER_DAY
const DAYS_TO_1900 = 693_595n

const INT_N = 0x26
const BIT_N = 0x68
const DATETIME_N = 0x6f
const DATETIME2_N = 0x2a
const NVARCHAR = 0xe7
const BIG_VARCHAR = 0xa7
const MAX = 0xffff
/** SQL_Latin1_General_CP1_CI_AS, as a real server says by default. */
const COLLATION: Buffer = Buffer.from([0x09, 0x04, 0xd0, 0x00, 0x34])
const INT_BYTES: Readonly<Record<'int' | 'bigint' | 'bit', number>> = { bit: 1, int: 4, bigint: 8 }

/** TYPE_INFO (MS-TDS 2.2.5.6). */
export function typeInfo(type: SqlType): Buffer {
  switch (type.kind) {
    case 'int':
    case 'bigint':
      return Buffer.from([INT_N, INT_BYTES[type.kind]])
    case 'bit':
      return Buffer.from([BIT_N, 1])
    case 'datetime':
      return Buffer.from([DATETIME_N, 8])
    case 'datetime2':
      return Buffer.from([DATETIME2_N, type.scale])
    case 'nvarchar':
      return Buffer.concat([Buffer.from([NVARCHAR]), uint16(type.length === 0 ? MAX : type.length * 2), COLLATION])
    case 'varchar':
      return Buffer.concat([Buffer.from([BIG_VARCHAR]), uint16(type.length === 0 ? MAX : type.length), COLLATION])
  }
}

/** A value that is not null, after its TYPE_INFO. */
export function valueBytes(type: SqlType, value: Value): Buffer {
  if (typeof value === 'bigint' && (type.kind === 'int' || type.kind === 'bigint' || type.kind === 'bit')) {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64LE(value, 0)
    const width = INT_BYTES[type.kind]
    return Buffer.concat([Buffer.from([width]), bytes.subarray(0, width)])
  }
  if (typeof value === 'string' && (type.kind === 'nvarchar' || type.kind === 'varchar')) {
    const bytes = Buffer.from(value, type.kind === 'nvarchar' ? 'utf16le' : 'latin1')
    return type.length === 0 ? partial(bytes) : Buffer.concat([uint16(bytes.length), bytes])
  }
  if (value !== null && typeof value === 'object') {
    if (type.kind === 'datetime') return datetimeBytes(value)
    if (type.kind === 'datetime2') return datetime2Bytes(type.scale, value)
  }
  throw new Error(`a value does not fit its type ${type.kind}`)
}

/** A PLP body: its length, one chunk, an end. */
function partial(bytes: Buffer): Buffer {
  const total = Buffer.alloc(8)
  total.writeBigUInt64LE(BigInt(bytes.length), 0)
  const chunk = Buffer.alloc(4)
  chunk.writeUInt32LE(bytes.length, 0)
  return Buffer.concat([total, ...(bytes.length === 0 ? [] : [chunk, bytes]), Buffer.alloc(4)])
}

function datetimeBytes({ ticks }: Moment): Buffer {
  const bytes = Buffer.alloc(9)
  bytes.writeUInt8(8, 0)
  bytes.writeInt32LE(Number(ticks / TICKS_PER_DAY - DAYS_TO_1900), 1)
  bytes.writeUInt32LE(Number(((ticks % TICKS_PER_DAY) * 3n + 50_000n) / 100_000n), 5)
  return bytes
}

function datetime2Bytes(scale: number, { ticks }: Moment): Buffer {
  const width = timeWidth(scale)
  const bytes = Buffer.alloc(1 + 8 + 3)
  bytes.writeUInt8(width + 3, 0)
  bytes.writeBigUInt64LE((ticks % TICKS_PER_DAY) / 10n ** BigInt(7 - scale), 1)
  bytes.writeUIntLE(Number(ticks / TICKS_PER_DAY), 1 + width, 3)
  return bytes.subarray(0, 1 + width + 3)
}

function timeWidth(scale: number): number {
  return scale <= 2 ? 3 : scale <= 4 ? 4 : 5
}

/** Reads TYPE_INFO and value of a parameter. */
export interface ValueReader {
  readonly type: SqlType
  readonly value: Value
  /** Where the next one begins. */
  readonly end: number
}

/** @throws Error for a type that this server does not know. */
export function readParameter(data: Buffer, at: number): ValueReader {
  const code = data.readUInt8(at)
  switch (code) {
    case INT_N:
    case BIT_N: {
      const width = data.readUInt8(at + 2)
      const kind = code === BIT_N ? 'bit' : data.readUInt8(at + 1) === 8 ? 'bigint' : 'int'
      const value = width === 0 ? null : integer(data.subarray(at + 3, at + 3 + width))
      return { type: { kind }, value, end: at + 3 + width }
    }
    case NVARCHAR:
      return readText(data, at)
    case DATETIME2_N:
      return readDatetime2(data, at)
    default:
      throw new Error(`this server does not know parameters of TDS type 0x${code.toString(16)}`)
  }
}

function integer(bytes: Buffer): bigint {
  if (bytes.length === 8) return bytes.readBigInt64LE(0)
  if (bytes.length === 4) return BigInt(bytes.readInt32LE(0))
  if (bytes.length === 2) return BigInt(bytes.readInt16LE(0))
  return BigInt(bytes.readUInt8(0))
}

function readText(data: Buffer, at: number): ValueReader {
  const size = data.readUInt16LE(at + 1)
  let end = at + 8
  if (size !== MAX) {
    const length = data.readUInt16LE(end)
    end += 2
    const type = { kind: 'nvarchar', length: size / 2 } as const
    if (length === MAX) return { type, value: null, end }
    return { type, value: data.toString('utf16le', end, end + length), end: end + length }
  }
  const total = data.readBigUInt64LE(end)
  end += 8
  const type = { kind: 'nvarchar', length: 0 } as const
  if (total === 0xffff_ffff_ffff_ffffn) return { type, value: null, end }
  const chunks: Buffer[] = []
  for (let length = data.readUInt32LE(end); ; length = data.readUInt32LE(end)) {
    end += 4
    if (length === 0) return { type, value: Buffer.concat(chunks).toString('utf16le'), end }
    chunks.push(data.subarray(end, end + length))
    end += length
  }
}

function readDatetime2(data: Buffer, at: number): ValueReader {
  const scale = data.readUInt8(at + 1)
  const length = data.readUInt8(at + 2)
  const type = { kind: 'datetime2', scale } as const
  if (length === 0) return { type, value: null, end: at + 3 }
  const width = length - 3
  const time = BigInt(data.readUIntLE(at + 3, width)) * 10n ** BigInt(7 - scale)
  const days = BigInt(data.readUIntLE(at + 3 + width, 3))
  return { type, value: { ticks: days * TICKS_PER_DAY + time }, end: at + 3 + length }
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value, 0)
  return bytes
}
