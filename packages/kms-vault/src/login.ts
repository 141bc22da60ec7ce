import { readFile } from 'node:fs/promises'
import { KmsError } from '@asherah/core/backend'
import { type VaultClient, VaultStatusError } from './http.ts'
import { checkHeader, encodePath, type VaultAuth } from './options.ts'

/** A token, and how long it lives. */
export interface Lease {
  readonly token: string
  /** 0: for ever, or nobody says. */
  readonly ttlMs: number
  readonly renewable: boolean
}

/** How to get tokens from one Vault. */
export interface Login {
  /** Logs in, or reads a given token and asks Vault how long it lives. */
  logIn(signal: AbortSignal): Promise<Lease>
  /** @throws VaultStatusError when Vault refuses. */
  renew(token: string, signal: AbortSignal): Promise<Lease>
  /** False for a token that is given as text: the same one again would be refused again. */
  readonly canLogInAgain: boolean
}

const SERVICE_ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token'

export function createLogin(auth: VaultAuth, vault: VaultClient): Login {
  return {
    canLogInAgain: auth.method !== 'token' || typeof auth.token === 'function',
    async logIn(signal) {
      if (auth.method === 'token') {
        return lookUp(typeof auth.token === 'string' ? auth.token : await readToken(auth.token), vault, signal)
      }
      const body = jsonBytes(await credentialsOf(auth))
      try {
        const path = `/v1/auth/${encodePath('auth.mount', auth.mount ?? auth.method)}/login`
        return leaseOf(parse(await vault.send({ method: 'POST', path, body }, signal), 'auth'))
      } finally {
        body.fill(0)
      }
    },
    async renew(token, signal) {
      const body = jsonBytes({})
      const answer = await vault.send({ method: 'POST', path: '/v1/auth/token/renew-self', token, body }, signal)
      return leaseOf(parse(answer, 'auth'))
    },
  }
}

async function lookUp(token: string, vault: VaultClient, signal: AbortSignal): Promise<Lease> {
  try {
    const data = parse(await vault.send({ method: 'GET', path: '/v1/auth/token/lookup-self', token }, signal), 'data')
    return { token, ttlMs: secondsToMs(data.ttl), renewable: data.renewable === true }
  } catch (error) {
    // A token's policies may not let it look at itself: whether it is good is for the transit engine to say.
    if (error instanceof VaultStatusError && error.status === 403) return { token, ttlMs: 0, renewable: false }
    throw error
  }
}

async function readToken(read: () => string | Promise<string>): Promise<string> {
  let token: unknown
  try {
    token = await read()
  } catch (cause) {
    throw new KmsError('auth.token could not be read', { cause })
  }
  const text = typeof token === 'string' ? token.trim() : token
  checkHeader('what auth.token gives', text)
  return text
}

async function credentialsOf(auth: Exclude<VaultAuth, { method: 'token' }>): Promise<Readonly<Record<string, string>>> {
  switch (auth.method) {
    case 'approle':
      return { role_id: auth.roleId, secret_id: auth.secretId }
    case 'cert':
      return auth.role === undefined ? {} : { name: auth.role }
    case 'kubernetes': {
      const path = auth.tokenPath ?? SERVICE_ACCOUNT_TOKEN
      try {
        return { role: auth.role, jwt: (await readFile(path, 'utf8')).trim() }
      } catch (cause) {
        throw new KmsError(`the service account token ${path} cannot be read`, { cause })
      }
    }
  }
}

/** @throws KmsError when an answer of status 2xx is not as Vault's are. */
function parse(answer: Uint8Array, name: 'auth' | 'data'): Readonly<Record<string, unknown>> {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(answer))
    const value: unknown = Reflect.get(Object(json), name)
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // Its own error would quote the answer, which has a token in it.
  } finally {
    answer.fill(0)
  }
  throw new KmsError(`Vault's answer has no ${name}`)
}

function leaseOf(auth: Readonly<Record<string, unknown>>): Lease {
  const token = auth.client_token
  if (typeof token !== 'string' || token === '') throw new KmsError("Vault's answer has no token")
  return { token, ttlMs: secondsToMs(auth.lease_duration), renewable: auth.renewable === true }
}

function secondsToMs(seconds: unknown): number {
  return typeof seconds === 'number' && seconds > 0 ? seconds * 1_000 : 0
}

function jsonBytes(value: Readonly<Record<string, string>>): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value))
}
