/** Bytes that have been read and not yet used. */
export interface ByteQueue {
  readonly length: number
  push(chunk: Uint8Array): void
  /** A view of everything that is waiting. It stays valid: the queue never writes over bytes that it has shown. */
  bytes(): Buffer
  consume(count: number): void
}

const firstCapacity = 256 * 1024

/** A queue whose cost is linear in the bytes pushed, however long a single row gets. */
export function createByteQueue(): ByteQueue {
  let store = Buffer.alloc(0)
  let start = 0
  let end = 0
  return {
    get length() {
      return end - start
    },
    push(chunk) {
      if (end + chunk.length > store.length) {
        const live = store.subarray(start, end)
        // A new block, never a move within the old one: rows that are being encrypted are views of it.
        store = Buffer.allocUnsafeSlow(Math.max(firstCapacity, 2 * (live.length + chunk.length)))
        store.set(live)
        start = 0
        end = live.length
      }
      store.set(chunk, end)
      end += chunk.length
    },
    bytes: () => store.subarray(start, end),
    consume(count) {
      start += count
    },
  }
}

/** One buffer of pieces; text is written as UTF-8. */
export function joinPieces(pieces: readonly (Uint8Array | string)[]): Buffer {
  let length = 0
  for (const piece of pieces) length += typeof piece === 'string' ? Buffer.byteLength(piece) : piece.length
  const joined = Buffer.allocUnsafeSlow(length)
  let offset = 0
  for (const piece of pieces) {
    if (typeof piece === 'string') offset += joined.write(piece, offset)
    else {
      joined.set(piece, offset)
      offset += piece.length
    }
  }
  return joined
}
