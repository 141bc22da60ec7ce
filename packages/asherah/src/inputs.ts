import { types } from 'node:util'
import { InvalidInputError } from '@asherah/core'

const MAX_PARTITION_BYTES = 4_096
/** Without its other half: such text has no UTF-8. */
const LONE_SURROGATE = /\p{Surrogate}/u
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A partition id as core accepts it, before there is a factory to ask. @throws InvalidInputError */
export function checkPartition(partitionId: unknown): asserts partitionId is string {
  if (typeof partitionId !== 'string') {
    throw new InvalidInputError(`a partition id is text, not ${partitionId === null ? 'null' : typeof partitionId}`)
  }
  if (partitionId === '') throw new InvalidInputError('a partition id is not empty')
  if (LONE_SURROGATE.test(partitionId)) throw new InvalidInputError('a partition id is well-formed text')
  // A UTF-16 unit is at most three bytes: they are counted only when it is needed.
  if (partitionId.length * 3 > MAX_PARTITION_BYTES && Buffer.byteLength(partitionId) > MAX_PARTITION_BYTES) {
    throw new InvalidInputError(`a partition id has at most ${MAX_PARTITION_BYTES} bytes of UTF-8`)
  }
}

/** The bytes of a payload: bytes as they are, text as UTF-8. @throws InvalidInputError */
export function payloadBytes(data: unknown): Uint8Array {
  if (types.isUint8Array(data)) return data
  if (typeof data === 'string') return textBytes(data)
  throw new InvalidInputError(`data is bytes or text, not ${data === null ? 'null' : typeof data}`)
}

/** The UTF-8 of a text. @throws InvalidInputError for what is no text, or holds a lone surrogate. */
export function textBytes(text: unknown): Uint8Array {
  if (typeof text !== 'string') {
    throw new InvalidInputError(`data is text, not ${text === null ? 'null' : typeof text}`)
  }
  if (LONE_SURROGATE.test(text)) throw new InvalidInputError('the text holds a lone surrogate, which has no UTF-8')
  return Buffer.from(text, 'utf8')
}

/** JSON text or its bytes. @throws InvalidInputError */
export function recordInput(record: unknown): string | Uint8Array {
  if (typeof record === 'string' || types.isUint8Array(record)) return record
  throw new InvalidInputError(
    `a data row record is JSON text or its bytes, not ${record === null ? 'null' : typeof record}`,
  )
}

/**
 * The same bytes as a Buffer: a Buffer is a Uint8Array with this prototype. `Buffer.from(bytes.buffer, …)` would first make an
 * ArrayBuffer of a short array, which takes as long as decrypting it.
 */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Object.setPrototypeOf(bytes, Buffer.prototype)
}

/** The text of a payload, whose bytes are wiped. @throws InvalidInputError when they are not UTF-8. */
export function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw new InvalidInputError('the decrypted payload is not UTF-8 text: use decrypt')
  } finally {
    bytes.fill(0)
  }
}
