import { randomUUID } from 'node:crypto'
import { SEEDED_SECRET } from '../seeded-markers.ts'
import { VaultRefusal } from './vault-transit.ts'

/** How long a token lives. */
export interface TokenSettings {
  /** Default 0: for ever. */
  readonly ttlSeconds?: number
  /** Default true. */
  readonly renewable?: boolean
  /** No renewal goes beyond this age; default no limit. */
  readonly maxTtlSeconds?: number
}

/** The tokens of a Vault. */
export interface FakeTokens {
  createToken(settings?: TokenSettings): string
  revokeToken(token: string): void
}

/** The operations that the HTTP side calls; each refuses with 403. */
interface Tokens extends FakeTokens {
  check(token: string | undefined): void
  lookUp(token: string | undefined): unknown
  renew(token: string | undefined): unknown
  logIn(settings?: TokenSettings): unknown
}

interface Token {
  readonly settings: TokenSettings
  readonly diesAt: number
  expiresAt: number
}

export function createTokens(): Tokens {
  const tokens = new Map<string, Token>()

  const createToken = (settings: TokenSettings = {}): string => {
    const { ttlSeconds = 0, maxTtlSeconds } = settings
    const token = `hvs.${SEEDED_SECRET}.${randomUUID()}`
    const diesAt = maxTtlSeconds === undefined ? Number.POSITIVE_INFINITY : Date.now() + maxTtlSeconds * 1_000
    const expiresAt = ttlSeconds === 0 ? Number.POSITIVE_INFINITY : Date.now() + ttlSeconds * 1_000
    tokens.set(token, { settings, diesAt, expiresAt: Math.min(expiresAt, diesAt) })
    return token
  }
  const alive = (id: string | undefined): Token => {
    const token = tokens.get(id ?? '')
    if (token === undefined || token.expiresAt <= Date.now())
      throw new VaultRefusal(403, ['permission denied', 'invalid token'])
    return token
  }
  const secondsLeft = ({ expiresAt }: Token): number =>
    expiresAt === Number.POSITIVE_INFINITY ? 0 : Math.ceil((expiresAt - Date.now()) / 1_000)
  const authOf = (id: string, token: Token) => ({
    client_token: id,
    lease_duration: secondsLeft(token),
    renewable: token.settings.renewable ?? true,
  })

  return {
    createToken,
    revokeToken: (id) => void tokens.delete(id),
    check: (id) => void alive(id),
    lookUp: (id) => ({ data: { ttl: secondsLeft(alive(id)), renewable: alive(id).settings.renewable ?? true } }),
    renew(id) {
      const token = alive(id)
      if (token.settings.renewable === false) throw new VaultRefusal(400, ['lease is not renewable'])
      if (token.settings.ttlSeconds) {
        token.expiresAt = Math.min(Date.now() + token.settings.ttlSeconds * 1_000, token.diesAt)
      }
      return { auth: authOf(id ?? '', token) }
    },
    logIn(settings) {
      const id = createToken(settings)
      return authOf(id, alive(id))
    },
  }
}
