import { atPlace, InputError, type Place } from '../errors.ts'
import { joinPieces } from '../io/byte-queue.ts'
import { type Line, readLines } from '../io/lines.ts'
import { advance, allInOrder, type Codec, type RowCodecOptions } from './format.ts'
import { isJson, type JsonMember, scanJsonObject } from './json-members.ts'
import { byteOrderMark, decodeUtf8, looksLikeRecord, maxEncryptedRowBytes, maxPlainRowBytes } from './text.ts'

/** What {@link createJsonlCodec} takes. */
export interface JsonlCodecOptions extends RowCodecOptions {
  /** Rows without a chosen field are copied. Otherwise they are an error: a misspelt name must not leave data in clear. */
  readonly allowMissing: boolean
}

interface Row {
  /** From 1. */
  readonly number: number
  /** The line without its line feed and without a byte order mark. */
  readonly text: string
}

interface Converted {
  readonly pieces: readonly (Uint8Array | string)[]
  /** 0 for a blank line. */
  readonly rows: number
  readonly values: number
}

/**
 * Encrypts or decrypts top-level members of JSON Lines.
 *
 * A member's value is encrypted as its JSON text, so that `1.0`, `null`, an escape and an object come back byte for
 * byte, and is replaced by the record as an object. Everything outside the values is copied as it is.
 */
export function createJsonlCodec(options: JsonlCodecOptions): Codec {
  const encrypting = options.direction === 'encrypt'
  const maxLineBytes = encrypting ? maxPlainRowBytes : maxEncryptedRowBytes
  const rowsAtOnce = Math.max(1, Math.floor(options.concurrency / options.fields.length))

  return async function* jsonl(open, start) {
    let position = start
    const lines = readLines(open(start.input), {
      maxLineBytes,
      tooLong: (before) => {
        throw new InputError(`a line over ${maxLineBytes} bytes`, { line: start.line + before })
      },
    })
    for await (const group of lines) {
      for (let next = 0; next < group.length; next += rowsAtOnce) {
        const slice = group.slice(next, next + rowsAtOnce)
        const first = position
        const converted = await allInOrder(
          slice.map((line, index) => convertLine(line, first.line + index, first.input === 0 && index === 0)),
        )
        const output = joinPieces(converted.flatMap(({ pieces }) => pieces))
        position = advance(position, {
          input: slice.reduce((sum, line) => sum + line.length, 0),
          output: output.length,
          rows: converted.reduce((sum, { rows }) => sum + rows, 0),
          values: converted.reduce((sum, { values }) => sum + values, 0),
          lines: slice.length,
        })
        yield { output, position }
      }
    }
  }

  async function convertLine(line: Line, number: number, first: boolean): Promise<Converted> {
    const skip = first ? byteOrderMark(line.bytes) : 0
    const text = decodeUtf8(line.bytes.subarray(skip), () => ({ line: number }))
    const mark = line.bytes.subarray(0, skip)
    const ending = line.length > line.bytes.length ? '\n' : ''
    if (/^[ \t\r]*$/.test(text)) return { pieces: [mark, text, ending], rows: 0, values: 0 }
    const row: Row = { number, text }
    const scan = scanJsonObject(text)
    if ('fault' in scan) throw new InputError(scan.fault.message, placeOf(row, scan.fault.offset))
    const partition = partitionOf(row, scan.members)
    const targets = options.fields
      .map((field) => memberOf(row, scan.members, field))
      .filter((member) => member !== undefined)
      .sort((a, b) => a.start - b.start)
    const replacements = await allInOrder(targets.map((member) => convertMember(row, member, partition)))
    const pieces: (Uint8Array | string)[] = [mark]
    let copied = 0
    for (const [index, member] of targets.entries()) {
      pieces.push(text.slice(copied, member.start), replacements[index] ?? '')
      copied = member.end
    }
    pieces.push(text.slice(copied) + ending)
    return { pieces, rows: 1, values: targets.length }
  }

  async function convertMember(row: Row, member: JsonMember, partition: string): Promise<string> {
    const place = (): Place => ({ ...placeOf(row, member.start), field: member.name })
    const value = row.text.slice(member.start, member.end)
    try {
      if (encrypting) return await options.cipher.encrypt(partition, Buffer.from(value))
      if (!looksLikeRecord(value)) throw new InputError('the member holds no encrypted value', place())
      const plain = decodeUtf8(await options.cipher.decrypt(partition, value), place)
      if (!isJson(plain) || plain.includes('\n')) {
        throw new InputError('the decrypted value is not JSON text on one line: it was not encrypted as JSONL', place())
      }
      return plain
    } catch (error) {
      throw atPlace(error, place)
    }
  }

  function memberOf(row: Row, members: readonly JsonMember[], field: string): JsonMember | undefined {
    const [found, again] = members.filter(({ name }) => name === field)
    if (again !== undefined) throw new InputError(`the object has '${field}' twice`, placeOf(row, again.at))
    if (found === undefined && !options.allowMissing) {
      throw new InputError(
        `the object has no '${field}' (--allow-missing copies such rows as they are)`,
        placeOf(row, 0),
      )
    }
    return found
  }

  function partitionOf(row: Row, members: readonly JsonMember[]): string {
    const { partition: source } = options
    if (source.kind === 'fixed') return source.partition
    const [found, again] = members.filter(({ name }) => name === source.field)
    if (found === undefined)
      throw new InputError(`the object has no partition field '${source.field}'`, placeOf(row, 0))
    if (again !== undefined) throw new InputError(`the object has '${source.field}' twice`, placeOf(row, again.at))
    const json = row.text.slice(found.start, found.end)
    const value: unknown = JSON.parse(json)
    // A number's own text: 17 and 17.0 are two partitions, and no digit is lost.
    const partition = typeof value === 'number' ? json : value
    if (typeof partition !== 'string' || partition === '') {
      const place = { ...placeOf(row, found.start), field: source.field }
      throw new InputError('the partition must be a non-empty string or a number', place)
    }
    return partition
  }
}

function placeOf(row: Row, offset: number): Place {
  return { line: row.number, column: [...row.text.slice(0, offset)].length + 1 }
}
