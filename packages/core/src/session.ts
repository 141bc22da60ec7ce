import type { Call } from './contracts/call.ts'
import type { Persistence } from './contracts/persistence.ts'
import { ClosedError, InvalidInputError } from './errors.ts'
import type { BlockingKeySource } from './internal/backend-calls.ts'
import { checkLoadArguments, type StoreArguments, storeRecord } from './internal/persisted.ts'
import type { SessionLease } from './internal/session-cache.ts'
import type { DataRowRecord, DataRowRecordInput } from './types.ts'

const NO_OPTIONS: Call = {}

/**
 * Encrypts and decrypts for one partition. `SessionFactory.getSession` makes it.
 *
 * Sessions are cheap, and any number of calls may run at once. `close` gives the session back; calls in flight end first.
 */
export interface Session extends Disposable {
  /** The partition id that the session was asked for. */
  readonly partitionId: string
  readonly closed: boolean

  /**
   * Encrypts a payload under a fresh data row key.
   *
   * @param plaintext The bytes as they are now; empty is valid. At most the factory's `maxPlaintextBytes`.
   * @returns The record; `JSON.stringify` of it is the wire text.
   * @throws InvalidInputError, MetastoreError, KmsError, WrongPartitionError, DecryptionError, FutureKeyError,
   * CorruptRecordError, AbortedError, ClosedError
   */
  encrypt(plaintext: Uint8Array, options?: Call): Promise<DataRowRecord>

  /** As {@link encrypt}, straight to the wire text: the quickest form. */
  encryptToJson(plaintext: Uint8Array, options?: Call): Promise<string>

  /**
   * Encrypts many payloads: as {@link encryptToJson} of each, in one call of the native path. A batch is under one key, and
   * counts whole towards `maxUsesPerKey`.
   *
   * @returns The wire texts, in the order of the payloads.
   * @throws As {@link encrypt}; an InvalidInputError names the payload, and nothing was encrypted.
   */
  encryptMany(plaintexts: readonly Uint8Array[], options?: Call): Promise<string[]>

  /**
   * Decrypts many records, in their order; wire texts under one key are quickest.
   *
   * @throws As {@link decrypt}, for the first record that fails.
   */
  decryptMany(records: readonly DataRowRecordInput[], options?: Call): Promise<Uint8Array[]>

  /**
   * Decrypts a record of this partition, in any of its forms.
   *
   * @returns The plaintext in memory of its own.
   * @throws InvalidInputError, WrongPartitionError, KeyNotFoundError, DecryptionError, CorruptRecordError, MetastoreError,
   * KmsError, AbortedError, ClosedError
   */
  decrypt(record: DataRowRecordInput, options?: Call): Promise<Uint8Array>

  /**
   * As {@link encryptToJson}, in this tick, for code that cannot wait.
   *
   * @returns undefined when a key has to be loaded, made or checked again first: nothing was encrypted, and
   * {@link encryptToJson} does it.
   * @throws InvalidInputError, ClosedError
   */
  tryEncryptToJson(plaintext: Uint8Array): string | undefined

  /**
   * As {@link decrypt}, in this tick, for code that cannot wait.
   *
   * @returns undefined when a key has to be loaded or checked again first: {@link decrypt} does it.
   * @throws InvalidInputError, WrongPartitionError, DecryptionError, ClosedError
   */
  tryDecrypt(record: DataRowRecordInput): Uint8Array | undefined

  /**
   * Loads a record from the application's store and decrypts it.
   *
   * @returns undefined when nothing is stored under the key.
   */
  load(
    key: string,
    persistence: Pick<Persistence<DataRowRecordInput>, 'load'>,
    options?: Call,
  ): Promise<Uint8Array | undefined>

  /** Encrypts a payload and stores the record under a key that the persistence makes. @returns the key. */
  store(payload: Uint8Array, persistence: Pick<Persistence<DataRowRecord>, 'store'>, options?: Call): Promise<string>
  /** Encrypts a payload and stores the record under `key`. @returns the key. */
  store(
    key: string,
    payload: Uint8Array,
    persistence: Pick<Persistence<DataRowRecord>, 'store'>,
    options?: Call,
  ): Promise<string>

  /** Gives the session back; idempotent. Never waits. */
  close(): void
}

/** @param onClose Called once, when the session is given back. */
export function createSession(lease: SessionLease, onClose: (session: Session) => void): Session {
  return new SessionHandle(lease, onClose)
}

/**
 * Loads the keys of a session's next {@link Session.tryEncryptToJson}, or of a record's {@link Session.tryDecrypt}, while this
 * thread is blocked: for programs whose event loop does not turn. Rows are checked, and keys cached, as the asynchronous
 * calls do it; a key that is revoked or expired is not loaded for writing.
 *
 * @param source Asks another thread. It is asked for a system key only when that is in no cache here.
 * @param record What is to be decrypted. Default: something is to be encrypted.
 * @returns false when the asynchronous calls must go on: a key is not there, must be made, or is not to be kept.
 * @throws InvalidInputError, WrongPartitionError, DecryptionError, CorruptRecordError, FutureKeyError, MetastoreError, KmsError,
 * ClosedError
 */
export function loadKeysNow(session: Session, source: BlockingKeySource, record?: DataRowRecordInput): boolean {
  return loadNow(session, source, record)
}

let loadNow: typeof loadKeysNow

/** A caller's own handle on a core that others may share. */
class SessionHandle implements Session {
  static {
    loadNow = (session, source, record) => {
      if (!(#lease in session)) throw new InvalidInputError('loadKeysNow takes a session of a SessionFactory')
      session.#checkOpen()
      return session.#lease.core.loadKeysNow(source, record)
    }
  }

  readonly #lease: SessionLease
  readonly #onClose: (session: Session) => void
  #closed = false

  constructor(lease: SessionLease, onClose: (session: Session) => void) {
    this.#lease = lease
    this.#onClose = onClose
  }

  get partitionId(): string {
    return this.#lease.core.partitionId
  }

  get closed(): boolean {
    return this.#closed
  }

  async encrypt(plaintext: Uint8Array, options: Call = NO_OPTIONS): Promise<DataRowRecord> {
    this.#checkOpen()
    const { core } = this.#lease
    return core.tryEncrypt(plaintext, options) ?? (await core.encrypt(plaintext, options))
  }

  async encryptToJson(plaintext: Uint8Array, options: Call = NO_OPTIONS): Promise<string> {
    this.#checkOpen()
    const { core } = this.#lease
    return core.tryEncryptToJson(plaintext, options) ?? (await core.encryptToJson(plaintext, options))
  }

  async decrypt(record: DataRowRecordInput, options: Call = NO_OPTIONS): Promise<Uint8Array> {
    this.#checkOpen()
    const { core } = this.#lease
    return core.tryDecrypt(record, options) ?? (await core.decrypt(record, options))
  }

  async encryptMany(plaintexts: readonly Uint8Array[], options: Call = NO_OPTIONS): Promise<string[]> {
    this.#checkOpen()
    return this.#lease.core.encryptMany(plaintexts, options)
  }

  async decryptMany(records: readonly DataRowRecordInput[], options: Call = NO_OPTIONS): Promise<Uint8Array[]> {
    this.#checkOpen()
    return this.#lease.core.decryptMany(records, options)
  }

  tryEncryptToJson(plaintext: Uint8Array): string | undefined {
    this.#checkOpen()
    return this.#lease.core.encryptToJsonNow(plaintext)
  }

  tryDecrypt(record: DataRowRecordInput): Uint8Array | undefined {
    this.#checkOpen()
    return this.#lease.core.decryptNow(record)
  }

  async load(
    key: string,
    persistence: Pick<Persistence<DataRowRecordInput>, 'load'>,
    options: Call = NO_OPTIONS,
  ): Promise<Uint8Array | undefined> {
    this.#checkOpen()
    checkLoadArguments(key, persistence)
    return this.#lease.core.load(() => persistence.load(key, options), options)
  }

  store(payload: Uint8Array, persistence: Pick<Persistence<DataRowRecord>, 'store'>, options?: Call): Promise<string>
  store(
    key: string,
    payload: Uint8Array,
    persistence: Pick<Persistence<DataRowRecord>, 'store'>,
    options?: Call,
  ): Promise<string>
  async store(...given: StoreArguments<Uint8Array, DataRowRecord>): Promise<string> {
    this.#checkOpen()
    return storeRecord(this, given)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#lease.release()
    this.#onClose(this)
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #checkOpen(): void {
    if (this.#closed) throw new ClosedError('the session is closed')
  }
}
