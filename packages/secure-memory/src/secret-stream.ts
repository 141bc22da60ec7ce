import { Readable, Writable } from 'node:stream'
import {
  ClosedError,
  checkKnownOptions,
  InvalidConfigError,
  type Secret,
  type SecretFactory,
  SecureMemoryError,
} from '@asherah/core/backend'
import { createEnclaveMemory } from './enclave-memory.ts'
import { SealedQueue } from './internal/sealed-queue.ts'

/** Options of {@link createSecretStream}. */
export interface SecretStreamOptions {
  /** Where the stream's key is. Yours to close. Default: enclave memory of the stream's own, which locks three pages. */
  readonly secrets?: SecretFactory
  /** Writes wait for the reader while so many bytes or more are held. Default: no bound. */
  readonly maxBytes?: number
  /** Wipe each chunk that was written, once it is encrypted: for chunks that nobody else uses. Default false. */
  readonly wipeInput?: boolean
}

/** Large sensitive data on its way from a writer to a reader, encrypted in between. */
export interface SecretStream {
  /** Takes bytes, and text in the encoding given with it. */
  readonly writable: Writable
  /** Gives the bytes once, in order, and ends after the writable has ended. Its chunks are the reader's to wipe. */
  readonly readable: Readable
  /** Bytes that were written and not read yet. */
  readonly byteLength: number
  readonly closed: boolean
  /** Wipes the key, and so all that is held; both sides end with `ClosedError`. Idempotent; also at the reader's end. */
  close(): void
  /** As `close`. */
  [Symbol.dispose](): void
}

const KEY_BYTES = 32

/**
 * A store for data that is too large to lock: it is held encrypted in ordinary memory, under a random key in `secrets`.
 *
 * What is locked does not grow with the data, and nothing is decrypted before the reader asks for it.
 *
 * @throws InvalidConfigError for an unknown or bad option.
 * @throws SecureMemoryError as `createEnclaveMemory`.
 * @example
 * const stream = createSecretStream()
 * await pipeline(createReadStream('passport.pdf'), stream.writable)
 * await pipeline(stream.readable, upload)
 */
export function createSecretStream(options: SecretStreamOptions = {}): SecretStream {
  const { secrets, maxBytes, wipeInput } = checkOptions(options)
  const memory = secrets ?? createEnclaveMemory()
  const key = createKey(memory, secrets === undefined)
  const queue = new SealedQueue(key)
  let closed = false
  let ended = false
  let readerWaits = false
  let goOnWriting: (() => void) | undefined

  const close = (): void => {
    if (closed) return
    closed = true
    key.close()
    if (secrets === undefined) memory.close()
    queue.clear()
    // Without a listener an error would end the process.
    const reason = new ClosedError('the secret stream is closed')
    if (!writable.writableFinished) writable.destroy(writable.listenerCount('error') > 0 ? reason : undefined)
    if (!readable.readableEnded) readable.destroy(readable.listenerCount('error') > 0 ? reason : undefined)
  }
  /** One piece for the reader, or the end; where there is neither, the next write gives it. */
  const feedReader = (): void => {
    let bytes: Buffer | undefined
    try {
      bytes = queue.shift()
    } catch (error) {
      readable.destroy(toError(error))
      return
    }
    readerWaits = bytes === undefined && !ended
    if (bytes !== undefined) readable.push(bytes)
    else if (ended) readable.push(null)
    if (goOnWriting === undefined || queue.byteLength >= maxBytes) return
    const done = goOnWriting
    goOnWriting = undefined
    done()
  }

  const writable = new Writable({
    decodeStrings: false,
    write(chunk: Uint8Array | string, encoding, done) {
      const text = typeof chunk === 'string'
      const bytes = text ? Buffer.from(chunk, encoding) : chunk
      try {
        queue.push(bytes)
      } catch (error) {
        done(toError(error))
        return
      } finally {
        if (text || wipeInput) bytes.fill(0)
      }
      if (queue.byteLength >= maxBytes) goOnWriting = done
      else done()
      if (readerWaits) feedReader()
    },
    final(done) {
      ended = true
      if (readerWaits) feedReader()
      done()
    },
    destroy(error, done) {
      if (!ended && !closed) {
        if (error !== null && readable.listenerCount('error') > 0) readable.destroy(error)
        close()
      }
      done(error)
    },
  })
  const readable = new Readable({
    highWaterMark: 0, // nothing is decrypted ahead
    read: feedReader,
    destroy(error, done) {
      close()
      done(error)
    },
  })

  return {
    writable,
    readable,
    get byteLength() {
      return queue.byteLength
    },
    get closed() {
      return closed
    },
    close,
    [Symbol.dispose]: close,
  }
}

/** @param own Close the memory when it has no room for the key. */
function createKey(memory: SecretFactory, own: boolean): Secret {
  try {
    return memory.createRandom(KEY_BYTES)
  } catch (error) {
    if (own) memory.close()
    throw error
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new SecureMemoryError('a secret stream failed', { cause: error })
}

interface Settings {
  readonly secrets: SecretFactory | undefined
  readonly maxBytes: number
  readonly wipeInput: boolean
}

function checkOptions(options: SecretStreamOptions): Settings {
  checkKnownOptions('createSecretStream', options, ['secrets', 'maxBytes', 'wipeInput'])
  const { secrets, maxBytes = Number.POSITIVE_INFINITY, wipeInput = false } = options
  if (secrets !== undefined && typeof secrets.createRandom !== 'function') {
    throw new InvalidConfigError('secrets must be a SecretFactory')
  }
  if (maxBytes !== Number.POSITIVE_INFINITY && (!Number.isSafeInteger(maxBytes) || maxBytes < 1)) {
    throw new InvalidConfigError('maxBytes must be a whole number of bytes, 1 or more')
  }
  if (typeof wipeInput !== 'boolean') throw new InvalidConfigError('wipeInput must be true or false')
  return { secrets, maxBytes, wipeInput }
}
