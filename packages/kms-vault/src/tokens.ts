import { ClosedError, channels, KmsError, withDeadline } from '@asherah/core/backend'
import { isRefusal } from './http.ts'
import type { Lease, Login } from './login.ts'

/** The token of one Vault: made at the first use, renewed while it lives, made anew when it cannot be. */
export interface Tokens {
  /** Callers at once share one login; an abort of one does not end it for the others. */
  current(): Promise<string>
  /** After a 403. @returns whether another token can be had, and so another attempt makes sense. */
  refused(token: string): boolean
  close(): void
}

/** A token is renewed when this share of its life has passed. */
const RENEW_AT = 2 / 3
/** Beyond what a timer can wait. */
const MAX_TIMER_MS = 2 ** 31 - 1
/** So that a token of a second's life does not make a busy loop. */
const MIN_RENEW_MS = 100

/** @param timeoutMs for one login or renewal, with its retries. */
export function createTokens(login: Login, timeoutMs: number): Tokens {
  let lease: { readonly token: string; readonly expiresAt: number } | undefined
  let loggingIn: Promise<string> | undefined
  let timer: NodeJS.Timeout | undefined
  const closing = new AbortController()

  const logIn = (): Promise<string> => {
    loggingIn ??= withDeadline(timeoutMs, closing.signal, (signal) => login.logIn(signal))
      .then(keep)
      .catch((cause: unknown) => {
        closing.signal.throwIfAborted()
        if (cause instanceof KmsError) throw cause
        throw new KmsError(`no login to Vault: ${cause instanceof Error ? cause.message : 'failed'}`, { cause })
      })
      .finally(() => {
        loggingIn = undefined
      })
    return loggingIn
  }

  const keep = ({ token, ttlMs, renewable }: Lease): string => {
    closing.signal.throwIfAborted()
    lease = { token, expiresAt: ttlMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + ttlMs }
    renewLater(token, renewable, ttlMs)
    return token
  }

  const renewLater = (token: string, renewable: boolean, lifeMs: number): void => {
    clearTimeout(timer)
    if (lifeMs === 0) return
    const wait = Math.min(Math.max(lifeMs * RENEW_AT, MIN_RENEW_MS), MAX_TIMER_MS)
    timer = setTimeout(() => void renew(token, renewable), wait)
    timer.unref()
  }

  const renew = async (token: string, renewable: boolean): Promise<void> => {
    const expiresAt = lease?.expiresAt ?? 0
    let cause: unknown = new KmsError('the Vault token cannot be renewed')
    if (renewable) {
      try {
        const renewed = await withDeadline(timeoutMs, closing.signal, (signal) => login.renew(token, signal))
        if (lease?.token !== token) return
        keep(renewed)
        // Past the longest life of a token, a renewal adds nothing.
        if (lease.expiresAt > expiresAt) return
      } catch (error) {
        cause = error
      }
    }
    if (lease?.token !== token) return
    const leftMs = expiresAt - performance.now()
    if (renewable && !isRefusal(cause) && leftMs > MIN_RENEW_MS) {
      renewLater(token, renewable, leftMs)
    } else if (login.canLogInAgain) {
      // The next use logs in, before this token has expired.
      clearTimeout(timer)
      lease = undefined
    } else {
      clearTimeout(timer)
      const message = 'the Vault token will expire: it cannot be renewed, and there is no other way to log in'
      channels.warning.publish({ code: 'VAULT_TOKEN_EXPIRES', message, cause })
    }
  }

  return {
    async current() {
      if (lease !== undefined && performance.now() < lease.expiresAt) return lease.token
      return logIn()
    },
    refused(token) {
      if (lease?.token === token) lease = undefined
      return login.canLogInAgain || lease !== undefined
    },
    close() {
      closing.abort(new ClosedError('the Vault KMS is closed'))
      clearTimeout(timer)
      lease = undefined
    },
  }
}
