import { InvalidInputError } from '@asherah/core'

/** What every encrypted chunk of a file starts with, so that a chunk has one place in one file. */
export interface Frame {
  /** 16 bytes as hex. */
  readonly fileId: string
  /** From 0. */
  readonly index: number
  readonly last: boolean
  readonly data: Uint8Array
}

const magic = Buffer.from('ASHFILE1', 'latin1')
/** Magic (8), file id (16), chunk index (8, big-endian), 1 for the last chunk else 0 (1). */
const frameHeaderBytes = 33

/** Frame header and data: the plaintext of one chunk's record. */
export function encodeFrame(frame: Frame): Buffer {
  const bytes = Buffer.alloc(frameHeaderBytes + frame.data.length)
  magic.copy(bytes, 0)
  bytes.write(frame.fileId, 8, 16, 'hex')
  bytes.writeBigUInt64BE(BigInt(frame.index), 24)
  bytes[32] = frame.last ? 1 : 0
  bytes.set(frame.data, frameHeaderBytes)
  return bytes
}

/** @throws InvalidInputError when the plaintext is not a chunk of a file. */
export function decodeFrame(plaintext: Uint8Array): Frame {
  const bytes = Buffer.from(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength)
  const last = bytes[32]
  if (bytes.length < frameHeaderBytes || !bytes.subarray(0, 8).equals(magic) || (last !== 0 && last !== 1)) {
    throw new InvalidInputError('the record is not a chunk of a file')
  }
  return {
    fileId: bytes.toString('hex', 8, 24),
    index: Number(bytes.readBigUInt64BE(24)),
    last: last === 1,
    data: bytes.subarray(frameHeaderBytes),
  }
}

/** The first line of an encrypted file. It says how to read on; what it says is proved by the chunks. */
export interface FileHeader {
  readonly fileId: string
  readonly chunkBytes: number
}

/** How the first line starts: this tells a chunked file from a bare record. */
export const fileHeaderStart = '{"asherahFile":'

/** The first line, without its line feed. */
export function encodeFileHeader(header: FileHeader): string {
  return `${fileHeaderStart}1,"id":"${header.fileId}","chunkBytes":${header.chunkBytes}}`
}

/** @throws InvalidInputError */
export function decodeFileHeader(text: string): FileHeader {
  let header: unknown
  try {
    header = JSON.parse(text)
  } catch {
    // The parser's message quotes the text; ours does not.
    throw new InvalidInputError('the header line is not JSON')
  }
  if (typeof header !== 'object' || header === null || !('asherahFile' in header)) {
    throw new InvalidInputError('the header line is not one of an encrypted file')
  }
  if (header.asherahFile !== 1) {
    throw new InvalidInputError(
      `version ${JSON.stringify(header.asherahFile)} of the file format is not known: only 1 is`,
    )
  }
  const id = 'id' in header ? header.id : undefined
  const chunkBytes = 'chunkBytes' in header ? header.chunkBytes : undefined
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) throw new InvalidInputError("the header's id is malformed")
  if (typeof chunkBytes !== 'number' || !Number.isSafeInteger(chunkBytes) || chunkBytes < 1) {
    throw new InvalidInputError("the header's chunkBytes is malformed")
  }
  return { fileId: id, chunkBytes }
}
