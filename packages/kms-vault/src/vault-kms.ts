import {
  AsherahError,
  ClosedError,
  checkNotAborted,
  InvalidInputError,
  type KeyManagementService,
  KmsError,
  offHeapBytes,
  withDeadline,
} from '@asherah/core/backend'
import { Agent } from 'undici'
import { fromBase64Bytes, toBase64Bytes } from './base64-bytes.ts'
import { createVaultClient, type VaultCall, VaultStatusError } from './http.ts'
import { createLogin } from './login.ts'
import { checkOptions, type Settings, type VaultKmsOptions } from './options.ts'
import { createTokens } from './tokens.ts'

/** A {@link KeyManagementService} over Vault's Transit engine. */
export interface VaultKms extends KeyManagementService {
  readonly closed: boolean
  /** Stops renewing the token and closes the connections that were made here; later calls throw `ClosedError`. Idempotent. */
  close(): void
  [Symbol.dispose](): void
}

const SYSTEM_KEY_BYTES = 32
/** What Transit's own ciphertexts look like (D-078). A 32-byte key gives about 90 characters. */
const CIPHERTEXT = /^vault:v[1-9]\d{0,9}:[A-Za-z0-9+/]+={0,2}$/
const MAX_CIPHERTEXT_CHARS = 4_096

/**
 * A KMS whose master key is a key of the Transit engine of HashiCorp Vault or OpenBao, which never leaves it.
 *
 * A wrapped key is Transit's ciphertext as it is, `vault:v1:…`, as asherah-ffi has it: Vault finds the key's version by it.
 *
 * @throws InvalidConfigError for an unknown or bad option.
 * @example
 * const kms = createVaultKms({
 *   address: 'https://vault.example.com:8200',
 *   transitKey: 'asherah',
 *   auth: { method: 'kubernetes', role: 'billing' },
 * })
 */
export function createVaultKms(options: VaultKmsOptions): VaultKms {
  const settings = checkOptions(options)
  const own = options.dispatcher === undefined
  const dispatcher = options.dispatcher ?? createAgent(options.ca, settings)
  const vault = createVaultClient(dispatcher, settings)
  const tokens = createTokens(createLogin(settings.auth, vault), settings.timeoutMs)
  let closed = false

  const run = async <T>(
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
    discard?: (late: T) => void,
  ): Promise<T> => {
    if (closed) throw new ClosedError('the Vault KMS is closed')
    checkNotAborted(outer)
    try {
      return await withDeadline(settings.timeoutMs, outer, work, discard)
    } catch (cause) {
      checkNotAborted(outer)
      if (cause instanceof AsherahError) throw cause
      throw new KmsError(cause instanceof Error ? cause.message : 'the call to Vault failed', { cause })
    }
  }

  /** With one new login when Vault refuses the token. */
  const send = async (call: Omit<VaultCall, 'token'>, signal: AbortSignal): Promise<Uint8Array> => {
    const token = await tokens.current()
    try {
      return await vault.send({ ...call, token }, signal)
    } catch (error) {
      if (!(error instanceof VaultStatusError) || error.status !== 403 || !tokens.refused(token)) throw error
      return vault.send({ ...call, token: await tokens.current() }, signal)
    }
  }

  const close = (): void => {
    closed = true
    tokens.close()
    if (own) dispatcher.destroy().catch(() => {})
  }
  return {
    get closed() {
      return closed
    },
    async encryptKey(key, call) {
      if (!(key instanceof Uint8Array) || key.byteLength !== SYSTEM_KEY_BYTES) {
        throw new InvalidInputError(`a key to encrypt must be ${SYSTEM_KEY_BYTES} bytes`)
      }
      const base64 = toBase64Bytes(key)
      const body = jsonBody('plaintext', base64)
      base64.fill(0)
      try {
        return await run(call?.signal, async (signal) =>
          ciphertextOf(await send({ method: 'POST', path: settings.encryptPath, body }, signal)),
        )
      } finally {
        body.fill(0)
      }
    },
    async decryptKey(encryptedKey, call) {
      const isOurs =
        encryptedKey instanceof Uint8Array &&
        encryptedKey.byteLength <= MAX_CIPHERTEXT_CHARS &&
        CIPHERTEXT.test(Buffer.from(encryptedKey).toString('latin1'))
      if (!isOurs) throw new KmsError('the key is no ciphertext of Transit, vault:v1:…: another KMS made it')
      const body = jsonBody('ciphertext', encryptedKey)
      return run(
        call?.signal,
        async (signal) => plaintextOf(await send({ method: 'POST', path: settings.decryptPath, body }, signal)),
        (late) => late.fill(0),
      )
    },
    close,
    [Symbol.dispose]: close,
  }
}

function createAgent(ca: string | undefined, { auth, attemptTimeoutMs }: Settings): Agent {
  const client = auth.method === 'cert' ? { cert: auth.cert, key: auth.key } : {}
  return new Agent({ connect: { ...client, ...(ca !== undefined && { ca }), timeout: attemptTimeoutMs } })
}

/** `{"name":"value"}`, of a value that needs no escapes, without making a text of it. */
function jsonBody(name: string, value: Uint8Array): Uint8Array {
  const [before, after] = [new TextEncoder().encode(`{"${name}":"`), new TextEncoder().encode('"}')]
  const body = offHeapBytes(before.byteLength + value.byteLength + after.byteLength)
  body.set(before)
  body.set(value, before.byteLength)
  body.set(after, before.byteLength + value.byteLength)
  return body
}

function ciphertextOf(answer: Uint8Array): Uint8Array {
  const value = fieldOf(answer, 'ciphertext')
  if (value === undefined || !CIPHERTEXT.test(Buffer.from(value).toString('latin1'))) {
    throw new KmsError("Vault's answer has no ciphertext of Transit")
  }
  return new Uint8Array(value)
}

/** The bytes of the answer are wiped: the key is in them. */
function plaintextOf(answer: Uint8Array): Uint8Array {
  try {
    const key = fromBase64Bytes(fieldOf(answer, 'plaintext') ?? new Uint8Array(), SYSTEM_KEY_BYTES)
    if (key === undefined) throw new KmsError(`Vault's answer has no plaintext of ${SYSTEM_KEY_BYTES} bytes`)
    return key
  } finally {
    answer.fill(0)
  }
}

/** The text of one field, as bytes. In JSON an unescaped quote ends a string, so the name can stand in no other value. */
function fieldOf(answer: Uint8Array, name: string): Uint8Array | undefined {
  const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.byteLength)
  let at = bytes.indexOf(`"${name}"`)
  if (at < 0) return undefined
  at += name.length + 2
  const skipSpace = (): void => {
    while (/\s/.test(String.fromCharCode(bytes[at] ?? 0))) at += 1
  }
  skipSpace()
  if (bytes[at] !== 0x3a) return undefined
  at += 1
  skipSpace()
  if (bytes[at] !== 0x22) return undefined
  const end = bytes.indexOf('"', at + 1)
  return end < 0 ? undefined : answer.subarray(at + 1, end)
}
