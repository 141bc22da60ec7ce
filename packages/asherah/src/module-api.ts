import { type AsherahConfig, readConfigObject, readConfigText } from '@asherah/config'
import { ClosedError, InvalidConfigError } from '@asherah/core'
import { type Client, createClient } from './client.ts'
import { cobhanCodes, jsonOf, partsOf, type RecordParts, withCobhanCode } from './cobhan.ts'
import { hooks } from './hooks.ts'
import { asBuffer, checkPartition, payloadBytes, recordInput, textBytes, textOf } from './inputs.ts'

// One client for this JavaScript environment: a worker thread has a module, and with it a state, of its own.

type State =
  | { readonly name: 'idle' }
  | { readonly name: 'starting' | 'ready'; readonly client: Client }
  | { readonly name: 'stopping' }

const IDLE: State = { name: 'idle' }
let state: State = IDLE
/** Clients that were shut down and still wait for calls in flight. */
const draining = new Set<Promise<void>>()

/** Whether nothing is set up, starting or stopping. */
export function isIdle(): boolean {
  return state.name === 'idle'
}

/** @throws InvalidConfigError */
function begin(config: AsherahConfig | string): Client {
  if (state.name !== 'idle') {
    const error = new InvalidConfigError(`setup was called while the library is ${state.name}: call shutdown first`)
    throw withCobhanCode(error, cobhanCodes.alreadyInitialized)
  }
  try {
    const client = createClient(typeof config === 'string' ? readConfigText(config) : readConfigObject(config))
    hooks.verbose = client.plan.verbose
    state = { name: 'starting', client }
    return client
  } catch (error) {
    throw withCobhanCode(error, cobhanCodes.badConfig)
  }
}

/** Whether this client is still the one that is starting: a shutdown may have come in between. */
function isStarting(client: Client): boolean {
  return state.name === 'starting' && state.client === client
}

/**
 * Sets the library up from a config object, or its JSON text. Blocks while a worker thread makes the backends, so that
 * what is wrong is thrown here.
 *
 * @throws InvalidConfigError also when it is set up already: nothing was done then. After a failure it can be called again.
 */
export function setup(config: AsherahConfig | string): void {
  const client = begin(config)
  try {
    client.openNow()
    state = { name: 'ready', client }
  } catch (error) {
    state = IDLE
    drain(client)
    throw withCobhanCode(error, cobhanCodes.badConfig)
  }
}

/** As {@link setup}, without blocking. */
export async function setupAsync(config: AsherahConfig | string): Promise<void> {
  const client = begin(config)
  try {
    await client.ready()
    if (!isStarting(client)) throw new ClosedError('shutdown was called while setup ran')
    state = { name: 'ready', client }
  } catch (error) {
    if (isStarting(client)) state = IDLE
    drain(client)
    throw withCobhanCode(error, cobhanCodes.badConfig)
  }
}

/**
 * Refuses new calls at once and returns: this thread cannot wait for its own calls in flight. They end, and then the keys are
 * wiped. {@link setup} may follow. Idempotent.
 */
export function shutdown(): void {
  if (state.name !== 'starting' && state.name !== 'ready') return
  const { client } = state
  state = IDLE
  drain(client)
}

/** As {@link shutdown}, and waits for the calls in flight, those of earlier shutdowns too. Idempotent. */
export async function shutdownAsync(): Promise<void> {
  if (state.name === 'starting' || state.name === 'ready') {
    const { client } = state
    state = { name: 'stopping' }
    try {
      await client.close()
    } finally {
      state = IDLE
    }
  }
  await Promise.all(draining)
}

function drain(client: Client): void {
  const closing = client.close().then(
    () => undefined,
    (error: unknown) => {
      hooks.log({ level: 'error', message: error instanceof Error ? error.message : 'close failed', target: 'asherah' })
    },
  )
  draining.add(closing)
  void closing.then(() => draining.delete(closing))
}

/** Whether calls can be made. */
export function getSetupStatus(): boolean {
  return state.name === 'ready'
}

function ready(): Client {
  if (state.name === 'ready') return state.client
  const error = new ClosedError('the library is not set up: call setup or setupAsync first')
  throw withCobhanCode(error, cobhanCodes.notInitialized)
}

/** Runs the checks and the call, and marks what fails. */
function encrypting(partitionId: string, data: Uint8Array): string {
  const client = ready()
  try {
    checkPartition(partitionId)
  } catch (error) {
    throw withCobhanCode(error, cobhanCodes.getSessionFailed)
  }
  try {
    return client.encryptNow(partitionId, data)
  } catch (error) {
    throw failed('encrypt', error)
  }
}

function decrypting(partitionId: string, record: string | Uint8Array): Uint8Array {
  const client = ready()
  try {
    checkPartition(partitionId)
  } catch (error) {
    throw withCobhanCode(error, cobhanCodes.getSessionFailed)
  }
  try {
    return client.decryptNow(partitionId, record)
  } catch (error) {
    throw failed('decrypt', error)
  }
}

function failed(what: 'encrypt' | 'decrypt', error: unknown): unknown {
  if (hooks.wantsLog && error instanceof Error) {
    hooks.log({ level: 'error', message: `${what} failed: ${error.message}`, target: 'asherah' })
  }
  return withCobhanCode(error, what === 'encrypt' ? cobhanCodes.encryptFailed : cobhanCodes.decryptFailed)
}

/**
 * Encrypts bytes or text for a partition; returns the record's JSON text. Does not block when the partition's key is cached in
 * this thread; else it blocks until a worker has loaded or made it.
 *
 * @throws InvalidInputError, MetastoreError, KmsError, ClosedError; `cobhanCode(error)` gives the old packages' number.
 */
export function encrypt(partitionId: string, data: Uint8Array | string): string {
  return encrypting(partitionId, payloadBytes(data))
}

/** As {@link encrypt}, without blocking; never throws, always rejects. */
export async function encryptAsync(partitionId: string, data: Uint8Array | string): Promise<string> {
  const client = ready()
  checkPartition(partitionId)
  try {
    const bytes = payloadBytes(data)
    return client.tryEncrypt(partitionId, bytes) ?? (await client.encrypt(partitionId, bytes))
  } catch (error) {
    throw failed('encrypt', error)
  }
}

/** As {@link encrypt}, of text. */
export function encryptString(partitionId: string, text: string): string {
  return encrypting(partitionId, textBytes(text))
}

/** As {@link encryptString}, without blocking. */
export async function encryptStringAsync(partitionId: string, text: string): Promise<string> {
  return encryptAsync(partitionId, textBytes(text))
}

/** Decrypts a record's JSON text, or its bytes. Blocks as {@link encrypt} does. */
export function decrypt(partitionId: string, record: string | Uint8Array): Buffer {
  return asBuffer(decrypting(partitionId, recordInput(record)))
}

/** As {@link decrypt}, without blocking. */
export async function decryptAsync(partitionId: string, record: string | Uint8Array): Promise<Buffer> {
  const client = ready()
  checkPartition(partitionId)
  try {
    const input = recordInput(record)
    return asBuffer(client.tryDecrypt(partitionId, input) ?? (await client.decrypt(partitionId, input)))
  } catch (error) {
    throw failed('decrypt', error)
  }
}

/** As {@link decrypt}, to text. @throws InvalidInputError when it is not UTF-8. */
export function decryptString(partitionId: string, record: string | Uint8Array): string {
  return textOf(decrypting(partitionId, recordInput(record)))
}

/** As {@link decryptString}, without blocking. */
export async function decryptStringAsync(partitionId: string, record: string | Uint8Array): Promise<string> {
  return textOf(await decryptAsync(partitionId, record))
}

/** Encrypts to a record in parts, as the Cobhan interface does. Blocks as {@link encrypt} does. */
export function encryptToParts(partitionId: string, data: Uint8Array | string): RecordParts {
  return partsOf(encrypt(partitionId, data))
}

/** As {@link encryptToParts}, without blocking. */
export async function encryptToPartsAsync(partitionId: string, data: Uint8Array | string): Promise<RecordParts> {
  return partsOf(await encryptAsync(partitionId, data))
}

/** Decrypts a record in parts. Blocks as {@link encrypt} does. */
export function decryptFromParts(partitionId: string, parts: RecordParts): Buffer {
  return decrypt(partitionId, jsonOf(parts))
}

/** As {@link decryptFromParts}, without blocking. */
export async function decryptFromPartsAsync(partitionId: string, parts: RecordParts): Promise<Buffer> {
  return decryptAsync(partitionId, jsonOf(parts))
}
