import { type AsherahConfig, readConfigEnvironment, readConfigObject } from '@asherah/config'
import { ClosedError } from '@asherah/core'
import { type Client, createClient } from './client.ts'
import { asBuffer, checkPartition, payloadBytes, recordInput, textBytes, textOf } from './inputs.ts'
import type { SessionOwner } from './sessions.ts'

/**
 * Makes sessions from a config. Any number of factories may be open at once.
 *
 * The constructor checks the config, and begins to load its backends. What a backend refuses comes with the first call.
 */
export class SessionFactory implements AsyncDisposable {
  readonly #client: Client
  #closed = false

  /** @throws InvalidConfigError naming the key and what is allowed. */
  constructor(config: AsherahConfig) {
    this.#client = createClient(readConfigObject(config))
  }

  /** A factory from the environment, whose variables docs/config.md lists. @throws InvalidConfigError naming the variable. */
  static fromEnv(): SessionFactory {
    // Everything that the environment says, as a config.
    return new SessionFactory(readConfigEnvironment().reveal())
  }

  /** A session for one partition. @throws InvalidInputError, ClosedError */
  getSession(partitionId: string): AsherahSession {
    if (this.#closed) throw new ClosedError('the session factory is closed')
    checkPartition(partitionId)
    return openSession(this.#client, partitionId)
  }

  /** As {@link SessionFactory.getSession}. */
  get_session(partitionId: string): AsherahSession {
    return this.getSession(partitionId)
  }

  /** Refuses new calls at once; those in flight end, and then the keys are wiped, behind. Idempotent. */
  close(): void {
    this.closeAsync().catch(() => undefined) // closeAsync tells
  }

  /** As {@link SessionFactory.close}, and waits. @throws ClosedError when calls still run after 30 seconds. */
  closeAsync(): Promise<void> {
    this.#closed = true
    return this.#client.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.closeAsync()
  }
}

/** Only this file makes sessions. */
let openSession: (client: Client, partitionId: string) => AsherahSession

/** Encrypts and decrypts for one partition. {@link SessionFactory.getSession} makes it. */
export class AsherahSession implements Disposable {
  static {
    openSession = (client, partitionId) => new AsherahSession(client, partitionId)
  }

  readonly #client: Client
  readonly #partitionId: string
  readonly #owner: SessionOwner = {}
  #closed = false

  private constructor(client: Client, partitionId: string) {
    this.#client = client
    this.#partitionId = partitionId
  }

  /**
   * Encrypts bytes or text; returns the record's JSON text. Does not block when the key is cached; else it blocks this thread
   * until a worker has loaded it.
   *
   * @throws InvalidInputError, MetastoreError, KmsError, ClosedError
   */
  encrypt(data: Uint8Array | string): string {
    return this.#open().encryptNow(this.#partitionId, payloadBytes(data), this.#owner)
  }

  /** As {@link AsherahSession.encrypt}, of text. */
  encryptString(text: string): string {
    return this.encrypt(textBytes(text))
  }

  /** Decrypts a record's JSON text or its bytes. Blocks as {@link AsherahSession.encrypt} does. */
  decrypt(record: string | Uint8Array): Buffer {
    return asBuffer(this.#open().decryptNow(this.#partitionId, recordInput(record), this.#owner))
  }

  /** As {@link AsherahSession.decrypt}, to text. @throws InvalidInputError when it is not UTF-8. */
  decryptString(record: string | Uint8Array): string {
    return textOf(this.decrypt(record))
  }

  /** As {@link AsherahSession.encrypt}, without blocking. */
  async encryptAsync(data: Uint8Array | string): Promise<string> {
    const client = this.#open()
    const bytes = payloadBytes(data)
    const json = client.tryEncrypt(this.#partitionId, bytes, this.#owner)
    return json ?? client.encrypt(this.#partitionId, bytes, this.#owner)
  }

  /** As {@link AsherahSession.encryptString}, without blocking. */
  async encryptStringAsync(text: string): Promise<string> {
    return this.encryptAsync(textBytes(text))
  }

  /** As {@link AsherahSession.decrypt}, without blocking. */
  async decryptAsync(record: string | Uint8Array): Promise<Buffer> {
    const client = this.#open()
    const input = recordInput(record)
    const plaintext = client.tryDecrypt(this.#partitionId, input, this.#owner)
    return asBuffer(plaintext ?? (await client.decrypt(this.#partitionId, input, this.#owner)))
  }

  /** As {@link AsherahSession.decryptString}, without blocking. */
  async decryptStringAsync(record: string | Uint8Array): Promise<string> {
    return textOf(await this.decryptAsync(record))
  }

  /** Gives the session back; calls in flight end. Idempotent. */
  close(): void {
    this.#closed = true
    this.#owner.session?.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #open(): Client {
    if (this.#closed) throw new ClosedError('the session is closed')
    return this.#client
  }
}
