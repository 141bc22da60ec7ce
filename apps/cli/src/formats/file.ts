import { randomBytes } from 'node:crypto'
import { atPlace, InputError, type Place } from '../errors.ts'
import { createByteQueue, joinPieces } from '../io/byte-queue.ts'
import { readLines } from '../io/lines.ts'
import { decodeFileHeader, decodeFrame, encodeFileHeader, encodeFrame, fileHeaderStart } from './file-frame.ts'
import { advance, type Batch, type Cipher, type Codec, type OpenInput, type Position } from './format.ts'
import { decodeUtf8, maxEncryptedRowBytes } from './text.ts'

/** The most that one bare record holds: the limit of the library and of other readers. */
const maxRecordBytes = 64 * 1024 * 1024
/** Chunks of a file may be from 1 byte to this. */
export const maxChunkBytes = 32 * 1024 * 1024
/** A bare record's text: base64 of the most that it holds, its keys and some white space. */
const maxRecordText = Math.ceil((maxRecordBytes + 28) / 3) * 4 + 128 * 1024

/** What the whole-file codecs take. */
export interface FileCodecOptions {
  readonly cipher: Cipher
  readonly partition: string
}

/**
 * Encrypts a stream of any length as one record per chunk: JSON Lines, a header line first.
 *
 * Each chunk's plaintext starts with the file's id, the chunk's index and whether it is the last, so that a chunk
 * left out, moved, repeated or taken from another file is found when decrypting.
 */
export function createFileEncryptor(options: FileCodecOptions & { readonly chunkBytes: number }): Codec {
  const { cipher, partition, chunkBytes } = options
  return async function* encryptFile(open, start) {
    let position = start
    if (position.fileId === '') {
      const fileId = randomBytes(16).toString('hex')
      const output = Buffer.from(`${encodeFileHeader({ fileId, chunkBytes })}\n`)
      position = advance(position, { input: 0, output: output.length, fileId, lines: 1 })
      yield { output, position }
    }
    const { fileId } = position
    for await (const { data, last } of readChunks(open(position.input), chunkBytes)) {
      const frame = encodeFrame({ fileId, index: position.rows, last, data })
      const record = await cipher.encrypt(partition, frame)
      const output = Buffer.from(`${record}\n`)
      position = advance(position, { input: data.length, output: output.length, rows: 1, values: 1, lines: 1 })
      yield { output, position }
    }
  }
}

/** Encrypts a stream as one bare record, as other Asherah implementations read it. */
export function createRecordEncryptor(options: FileCodecOptions): Codec {
  return async function* encryptRecord(open, start) {
    const plaintext = await readAll(
      open(start.input),
      maxRecordBytes,
      `over ${maxRecordBytes} bytes do not fit one record: encrypt without --record`,
    )
    const output = Buffer.from(await options.cipher.encrypt(options.partition, plaintext))
    yield { output, position: advance(start, { input: plaintext.length, output: output.length, rows: 1, values: 1 }) }
  }
}

/** Decrypts what {@link createFileEncryptor} and {@link createRecordEncryptor} write. */
export function createFileDecryptor(options: FileCodecOptions): Codec {
  return async function* decryptFile(open, start) {
    if (start.fileId !== '') {
      yield* decryptChunks(open, start, options)
      return
    }
    const source = await peek(open(start.input), fileHeaderStart.length)
    if (source.head.toString('latin1') === fileHeaderStart) {
      yield* decryptChunks(() => source.all, start, options)
      return
    }
    const text = await readAll(source.all, maxRecordText, 'neither an encrypted file nor one record: it is too long')
    const place: Place = { line: 1, column: 1 }
    if (!/^\s*\{/.test(text.toString('latin1', 0, 64))) {
      throw new InputError('this is not an encrypted file', place)
    }
    const output = await located(() => options.cipher.decrypt(options.partition, text), place)
    yield { output, position: advance(start, { input: text.length, output: output.length, rows: 1, values: 1 }) }
  }
}

async function* decryptChunks(
  open: OpenInput,
  start: Position,
  options: FileCodecOptions,
): AsyncGenerator<Batch, void, void> {
  let position = start
  let complete = false
  const lines = readLines(open(start.input), {
    maxLineBytes: maxEncryptedRowBytes,
    tooLong: (before) => {
      throw new InputError('the line is too long for a chunk', { line: start.line + before })
    },
  })
  for await (const group of lines) {
    for (const line of group) {
      const place: Place = { line: position.line }
      if (complete) throw new InputError('the file goes on after its last chunk', place)
      const text = decodeUtf8(line.bytes, () => place)
      if (position.fileId === '') {
        const { fileId } = await located(async () => decodeFileHeader(text), place)
        position = advance(position, { input: line.length, output: 0, lines: 1, fileId })
        continue
      }
      const frame = await located(
        async () => decodeFrame(await options.cipher.decrypt(options.partition, text)),
        place,
      ).catch((error: unknown) => {
        // Every line that was written whole ends in a line feed.
        if (line.length > line.bytes.length) throw error
        throw new InputError(`the file is cut off in the middle of chunk ${position.rows}`, place)
      })
      if (frame.fileId !== position.fileId) throw new InputError('this chunk belongs to another file', place)
      if (frame.index !== position.rows) {
        throw new InputError(`chunk ${frame.index} stands where chunk ${position.rows} should`, place)
      }
      complete = frame.last
      position = advance(position, {
        input: line.length,
        output: frame.data.length,
        rows: 1,
        values: 1,
        lines: 1,
      })
      yield { output: frame.data, position }
    }
  }
  if (!complete) {
    throw new InputError(`the file is cut off: chunk ${position.rows} and what follows are missing`, {
      line: position.line,
    })
  }
}

async function located<T>(action: () => Promise<T>, place: Place): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw atPlace(error, () => place)
  }
}

/** Cuts a stream into chunks of one size; the last may be shorter, and is the only one of an empty stream. */
async function* readChunks(
  source: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<{ readonly data: Uint8Array; readonly last: boolean }, void, void> {
  const queue = createByteQueue()
  for await (const part of source) {
    queue.push(part)
    // A whole chunk waits until a byte follows it: only then it is known not to be the last.
    while (queue.length > size) {
      yield { data: queue.bytes().subarray(0, size), last: false }
      queue.consume(size)
    }
  }
  yield { data: queue.bytes(), last: true }
}

async function readAll(source: AsyncIterable<Uint8Array>, limit: number, tooLong: string): Promise<Buffer> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of source) {
    length += part.length
    if (length > limit) throw new InputError(tooLong, { line: 1 })
    parts.push(part)
  }
  return joinPieces(parts)
}

/** The first bytes of a stream, and the whole of it. */
async function peek(
  source: AsyncIterable<Uint8Array>,
  count: number,
): Promise<{ readonly head: Buffer; readonly all: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]()
  const queue = createByteQueue()
  let done = false
  while (!done && queue.length < count) {
    const next = await iterator.next()
    if (next.done === true) done = true
    else queue.push(next.value)
  }
  const first = queue.bytes()
  async function* all(): AsyncGenerator<Uint8Array, void, void> {
    yield first
    if (!done) yield* { [Symbol.asyncIterator]: () => iterator }
  }
  return { head: first.subarray(0, count), all: all() }
}
