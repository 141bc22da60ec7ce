import { KmsError, withDeadline } from '@asherah/core/backend'
import { type Dispatcher, errors, request } from 'undici'

/** One request to Vault. */
export interface VaultCall {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly token?: string
  /** JSON; the caller wipes it. */
  readonly body?: Uint8Array
}

/** Sends requests to one Vault, with retries. */
export interface VaultClient {
  /**
   * @returns the body of a 2xx answer, for the caller to wipe.
   * @throws VaultStatusError for any other answer; KmsError when none came.
   */
  send(call: VaultCall, signal: AbortSignal): Promise<Uint8Array>
}

/** Vault's answer was a refusal or a failure: the cause of a `KmsError`. */
export class VaultStatusError extends Error {
  override readonly name = 'VaultStatusError'
  readonly status: number

  constructor(status: number, detail: string) {
    super(`Vault answered with status ${status}${detail}`)
    this.status = status
  }
}

/** Beyond any answer of Transit. */
const MAX_ANSWER_BYTES = 65_536
const MAX_DETAIL_CHARS = 300
/** Sealed, standby or failing, overloaded, or a replica that lags (412): another attempt may do. */
const TRANSIENT = new Set([412, 429, 500, 502, 503, 504])
const BACKOFF_MS = 50
const MAX_BACKOFF_MS = 1_000

/** What {@link createVaultClient} takes. */
export interface VaultClientSettings {
  readonly baseUrl: string
  readonly namespace: string | undefined
  readonly attemptTimeoutMs: number
  readonly maxAttempts: number
}

export function createVaultClient(dispatcher: Dispatcher, settings: VaultClientSettings): VaultClient {
  const { baseUrl, namespace, attemptTimeoutMs, maxAttempts } = settings

  const attempt = async ({ method, path, token, body }: VaultCall, signal: AbortSignal): Promise<Uint8Array> => {
    const answer = await request(`${baseUrl}${path}`, {
      dispatcher,
      method,
      signal,
      headers: {
        // Vault refuses requests without it where it is asked to: a browser cannot be tricked into sending it.
        'x-vault-request': 'true',
        ...(token !== undefined && { 'x-vault-token': token }),
        ...(namespace !== undefined && { 'x-vault-namespace': namespace }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body }),
    })
    const bytes = await readBounded(answer.body)
    // The status first: a proxy's error page is no JSON (D-077).
    if (answer.statusCode < 200 || answer.statusCode > 299)
      throw new VaultStatusError(answer.statusCode, detailOf(bytes))
    return bytes
  }

  return {
    async send(call, signal) {
      for (let tried = 1; ; tried++) {
        try {
          return await withDeadline(
            attemptTimeoutMs,
            signal,
            (inner) => attempt(call, inner),
            (late) => late.fill(0),
          )
        } catch (cause) {
          signal.throwIfAborted()
          if (cause instanceof KmsError || isRefusal(cause)) throw cause
          if (tried === maxAttempts) throw cause instanceof VaultStatusError ? cause : unreachable(cause)
        }
        await backOff(tried, signal)
      }
    },
  }
}

/** Whether Vault would answer the same again. */
export function isRefusal(error: unknown): boolean {
  return error instanceof VaultStatusError && !TRANSIENT.has(error.status)
}

async function readBounded(body: AsyncIterable<unknown>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of body) {
      if (!(chunk instanceof Uint8Array)) throw new TypeError('not bytes')
      chunks.push(chunk)
      length += chunk.byteLength
      if (length > MAX_ANSWER_BYTES) throw new KmsError(`Vault's answer is over ${MAX_ANSWER_BYTES} bytes`)
    }
    const bytes = new Uint8Array(length)
    let at = 0
    for (const chunk of chunks) {
      bytes.set(chunk, at)
      at += chunk.byteLength
    }
    return bytes
  } finally {
    for (const chunk of chunks) chunk.fill(0)
  }
}

/** Vault's own words about an error, bounded; of anything else, such as a proxy's page, only its length. */
function detailOf(bytes: Uint8Array): string {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    const words: unknown = Reflect.get(Object(json), 'errors')
    if (Array.isArray(words) && words.length > 0) return `: ${printable(words.join('; ')).slice(0, MAX_DETAIL_CHARS)}`
    return ''
  } catch {
    return bytes.byteLength === 0 ? '' : ` and ${bytes.byteLength} bytes that are not Vault's`
  }
}

/** One line of a log stays one line. */
function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ')
}

function unreachable(cause: unknown): KmsError {
  const code: unknown = cause instanceof Error ? Reflect.get(cause, 'code') : undefined
  const why = typeof code === 'string' ? code : cause instanceof Error ? cause.message : 'failed'
  // undici's error about an answer that is no HTTP has the answer's text in it, and so a key or a token.
  const isUnreadable = cause instanceof errors.HTTPParserError
  return new KmsError(`Vault cannot be reached (${why})`, isUnreadable ? {} : { cause })
}

/** Waits a random part of a delay that doubles. */
function backOff(tried: number, signal: AbortSignal): Promise<void> {
  const ms = Math.random() * Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** tried)
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', abort)
      resolve()
    }, ms)
    signal.addEventListener('abort', abort, { once: true })
  })
}
