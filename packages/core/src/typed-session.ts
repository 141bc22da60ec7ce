import type { Call } from './contracts/call.ts'
import type { Persistence } from './contracts/persistence.ts'
import { InvalidInputError } from './errors.ts'
import { type StoreArguments, storeRecord } from './internal/persisted.ts'
import type { Session } from './session.ts'
import type { DataRowRecordJson } from './types.ts'

/** Anything that `JSON.stringify` turns into JSON text. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue }

/** A session over payloads `P` (bytes or JSON values) and records `D` (the wire form, as bytes or as an object). */
export interface TypedSession<P, D> extends Disposable {
  readonly partitionId: string
  readonly closed: boolean
  /** @throws InvalidInputError when a JSON payload cannot be written as JSON. */
  encrypt(payload: P, options?: Call): Promise<D>
  /** @throws InvalidInputError when the decrypted payload is not JSON, in a JSON session. */
  decrypt(record: D, options?: Call): Promise<P>
  /** Loads a record and decrypts it; undefined: nothing there. */
  load(key: string, persistence: Pick<Persistence<D>, 'load'>, options?: Call): Promise<P | undefined>
  /** Encrypts and stores under a key that the persistence makes. @returns the key. */
  store(payload: P, persistence: Pick<Persistence<D>, 'store'>, options?: Call): Promise<string>
  /** Encrypts and stores under `key`. @returns the key. */
  store(key: string, payload: P, persistence: Pick<Persistence<D>, 'store'>, options?: Call): Promise<string>
  close(): void
}

/** How payloads become bytes and come back. */
export interface PayloadCodec<P> {
  /** Whether `encode` makes bytes of its own, to be wiped after use. */
  readonly encodesCopies: boolean
  encode(payload: P): Uint8Array
  decode(bytes: Uint8Array): P
}

/** How records are handed out. */
export interface RecordCodec<D> {
  encode(json: string): D
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Payloads are bytes as they are. */
export const bytesPayload: PayloadCodec<Uint8Array> = {
  encodesCopies: false,
  encode: (bytes) => bytes,
  decode: (bytes) => bytes,
}

/** Payloads are JSON values, encrypted as their UTF-8 text. */
export const jsonPayload: PayloadCodec<JsonValue> = {
  encodesCopies: true,
  encode(payload) {
    let text: string | undefined
    try {
      text = JSON.stringify(payload)
    } catch (cause) {
      // V8's own TypeErrors (a circle, a BigInt) name properties of the payload; what a toJSON threw is the program's.
      const told = cause instanceof TypeError ? undefined : { cause }
      throw new InvalidInputError('the payload cannot be written as JSON', told)
    }
    if (text === undefined) throw new InvalidInputError(`a JSON payload is a JSON value, not ${typeof payload}`)
    return new TextEncoder().encode(text)
  },
  decode(bytes) {
    try {
      return JSON.parse(utf8.decode(bytes))
    } catch {
      // No cause: the parser's message quotes the text, which is plaintext.
      throw new InvalidInputError('the decrypted payload is not JSON: it was written by a session of bytes')
    } finally {
      bytes.fill(0)
    }
  },
}

/** Records are the wire text's bytes. */
export const bytesRecord: RecordCodec<Uint8Array> = { encode: (json) => new TextEncoder().encode(json) }

/** Records are the wire form's objects. */
export const jsonRecord: RecordCodec<DataRowRecordJson> = { encode: (json) => JSON.parse(json) }

/** A session that converts on the way in and out. */
export function typedSession<P, D extends Uint8Array | DataRowRecordJson>(
  session: Session,
  payloads: PayloadCodec<P>,
  records: RecordCodec<D>,
): TypedSession<P, D> {
  const typed: TypedSession<P, D> = {
    get partitionId() {
      return session.partitionId
    },
    get closed() {
      return session.closed
    },
    async encrypt(payload, options) {
      const bytes = payloads.encode(payload)
      try {
        return records.encode(await session.encryptToJson(bytes, options))
      } finally {
        if (payloads.encodesCopies) bytes.fill(0)
      }
    },
    async decrypt(record, options) {
      return payloads.decode(await session.decrypt(record, options))
    },
    async load(key, persistence, options) {
      const bytes = await session.load(key, persistence, options)
      return bytes === undefined ? undefined : payloads.decode(bytes)
    },
    async store(...given: StoreArguments<P, D>) {
      return storeRecord<P, D>(typed, given)
    },
    close: () => session.close(),
    [Symbol.dispose]: () => session.close(),
  }
  return typed
}
