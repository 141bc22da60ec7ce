import { performance } from 'node:perf_hooks'
import {
  AsherahError,
  type Call,
  ClosedError,
  checkNotAborted,
  InvalidConfigError,
  withDeadline,
} from '@asherah/core/backend'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { retryKind, toMetastoreError } from './failures.ts'
import type { DynamoDbClientLike, Settings } from './options.ts'
import { sleep } from './sleep.ts'

/** One try of a request. */
export interface Attempt {
  readonly client: DynamoDbClientLike
  readonly tableName: string
  /** For the client's `send`. */
  readonly options: { readonly abortSignal: AbortSignal }
  /** 1 for the first one. */
  readonly number: number
}

/** The table, as far as the network is concerned: tries, deadlines, closing. */
export interface Connection {
  /**
   * Sends one request, again where that may help, within the time of one call.
   *
   * @param what The metastore's method, for messages.
   * @throws ClosedError, AbortedError, InvalidConfigError (no region, or not the client's), else MetastoreError.
   */
  request<T>(what: string, call: Call | undefined, send: (attempt: Attempt) => Promise<T>): Promise<T>
  /** Waits for the calls that run; idempotent. */
  close(): Promise<void>
}

const PAUSE_MS = { transient: 50, throttled: 200 } as const
const MAX_PAUSE_MS = 5_000

/** Does no I/O yet. */
export function createConnection(settings: Settings): Connection {
  const { tableName, maxAttempts, attemptTimeoutMs, timeoutMs } = settings
  const { client, destroy } = clientOf(settings)
  let running = 0
  let closing: Promise<void> | undefined
  let idle = (): void => {}
  let checkedRegion: string | undefined

  const checkRegion = async (): Promise<void> => {
    if (checkedRegion !== undefined) return
    const region = await client.config.region().catch((cause: unknown) => {
      throw new InvalidConfigError('there is no AWS region: give region, or set AWS_REGION', { cause })
    })
    if (settings.expectedRegion !== undefined && settings.expectedRegion !== region) {
      throw new InvalidConfigError(`region is ${settings.expectedRegion}, but the client's own is ${region}`)
    }
    checkedRegion = region
  }

  const tryAgainAndAgain = async <T>(
    what: string,
    signal: AbortSignal | undefined,
    send: (attempt: Attempt) => Promise<T>,
  ): Promise<T> => {
    const deadline = performance.now() + timeoutMs
    for (let number = 1; ; number++) {
      checkNotAborted(signal)
      const remaining = deadline - performance.now()
      try {
        // Whatever the work does about its signal: the SDK waits for credentials without it.
        return await withDeadline(Math.ceil(Math.min(attemptTimeoutMs, remaining)), signal, async (abortSignal) => {
          await checkRegion()
          return send({ client, tableName, options: { abortSignal }, number })
        })
      } catch (error) {
        checkNotAborted(signal)
        if (error instanceof AsherahError) throw error
        const kind = retryKind(error)
        const pause = kind === undefined ? 0 : pauseMs(PAUSE_MS[kind], number)
        // A pause that outlasts the budget would only delay the answer.
        if (kind === undefined || number === maxAttempts || performance.now() + pause >= deadline) {
          throw toMetastoreError(what, { tableName, region: checkedRegion }, error, number)
        }
        await sleep(pause, signal)
        if (performance.now() >= deadline)
          throw toMetastoreError(what, { tableName, region: checkedRegion }, error, number)
      }
    }
  }

  return {
    async request(what, call, send) {
      if (closing !== undefined) throw new ClosedError('the DynamoDB metastore is closed')
      running += 1
      try {
        return await tryAgainAndAgain(what, call?.signal, send)
      } finally {
        running -= 1
        if (running === 0) idle()
      }
    },
    close() {
      closing ??= (async () => {
        if (running > 0) await new Promise<void>((resolve) => (idle = resolve))
        destroy()
      })()
      return closing
    },
  }
}

function clientOf(settings: Settings): { readonly client: DynamoDbClientLike; destroy(): void } {
  if (settings.client !== undefined) return { client: settings.client, destroy() {} }
  const client = new DynamoDBClient(settings.clientConfig)
  return { client, destroy: () => client.destroy() }
}

/** Doubles with each try; the jitter parts processes that met once. */
function pauseMs(first: number, number: number): number {
  return Math.min(MAX_PAUSE_MS, first * 2 ** (number - 1)) * (0.5 + Math.random() / 2)
}
