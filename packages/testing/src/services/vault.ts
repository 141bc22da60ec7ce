import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { TLSSocket } from 'node:tls'
import { createTokens, type FakeTokens, type TokenSettings } from './vault-tokens.ts'
import { createTransit, type FakeTransit, VaultRefusal } from './vault-transit.ts'

/** What the fake Vault starts with. */
export interface FakeVaultOptions {
  /** Where the transit engine is; default `transit`. */
  readonly mount?: string
  /** The namespace that every request must name; default none. */
  readonly namespace?: string
  /** HTTPS, and the authority of the client certificates that `cert` logins take. All PEM. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly clientCa: string }
}

/** A request that has arrived. */
export interface VaultRequest {
  readonly method: string
  /** As sent, with its escapes. */
  readonly path: string
  readonly token: string | undefined
  readonly body: unknown
}

/** How a login of one method is answered. */
export interface FakeLogin {
  /** Default the method's name. */
  readonly mount?: string
  /** Whether what was sent is right; for `cert`, it is called only with a certificate of the authority. */
  accepts(body: Readonly<Record<string, unknown>>): boolean
  readonly token?: TokenSettings
}

/** An answer that takes the place of Vault's own; `hang` never answers. */
export type VaultFault = 'hang' | { readonly status: number; readonly body: string }

/** Vault's Transit engine and its logins, with the real paths, statuses and messages, in this process. */
export interface FakeVault extends FakeTransit, FakeTokens {
  readonly url: string
  /** Every request so far, oldest first. */
  readonly requests: VaultRequest[]
  enableLogin(method: 'approle' | 'kubernetes' | 'cert', login: FakeLogin): void
  /** Chosen for each request; `undefined` lets Vault answer. */
  fault: (request: VaultRequest) => VaultFault | undefined
  close(): Promise<void>
}

/**
 * Starts a fake Vault: no binary of Vault can be had as a package.
 *
 * @example
 * const vault = await startFakeVault()
 * vault.createKey('asherah')
 * const token = vault.createToken({ ttlSeconds: 60, renewable: true })
 */
export async function startFakeVault(options: FakeVaultOptions = {}): Promise<FakeVault> {
  const transit = createTransit()
  const tokens = createTokens()
  const logins = new Map<string, FakeLogin & { readonly method: string }>()
  const mount = options.mount ?? 'transit'

  const answer = (request: VaultRequest, incoming: IncomingMessage): unknown => {
    if (options.namespace !== undefined && incoming.headers['x-vault-namespace'] !== options.namespace)
      throw noRoute(request)
    const path = request.path
      .replace(/^\/v1\//, '')
      .split('/')
      .map(decodeURIComponent)
    if (path[0] === 'auth' && path.at(-1) === 'login') return logIn(request, path.slice(1, -1).join('/'), incoming)
    if (path.join('/') === 'auth/token/lookup-self') return tokens.lookUp(request.token)
    if (path.join('/') === 'auth/token/renew-self') return tokens.renew(request.token)
    const [operation, key, ...rest] = path.slice(mount.split('/').length)
    if (!path.join('/').startsWith(`${mount}/`) || key === undefined || rest.length > 0) throw noRoute(request)
    if (request.method !== 'POST' && request.method !== 'PUT') throw new VaultRefusal(405, ['unsupported operation'])
    tokens.check(request.token)
    if (operation === 'encrypt') return { data: transit.encrypt(key, textOf(request.body, 'plaintext')) }
    if (operation === 'decrypt') return { data: transit.decrypt(key, textOf(request.body, 'ciphertext')) }
    throw new VaultRefusal(404, ['unsupported path'])
  }

  const logIn = (request: VaultRequest, at: string, incoming: IncomingMessage): unknown => {
    const login = logins.get(at)
    if (login === undefined) throw noRoute(request)
    const isCertified = !('authorized' in incoming.socket) || isAuthorized(incoming.socket)
    const body = typeof request.body === 'object' && request.body !== null ? { ...request.body } : {}
    if ((login.method === 'cert' && !isCertified) || !login.accepts(body)) {
      throw new VaultRefusal(400, [login.method === 'cert' ? 'failed to match all constraints' : 'invalid credentials'])
    }
    return { auth: tokens.logIn(login.token) }
  }

  const listener: RequestListener = (incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      const token = incoming.headers['x-vault-token']
      const request: VaultRequest = {
        method: incoming.method ?? '',
        path: incoming.url ?? '',
        token: typeof token === 'string' ? token : undefined,
        body: parse(Buffer.concat(chunks).toString()),
      }
      vault.requests.push(request)
      const fault = vault.fault(request)
      if (fault === 'hang') return
      if (fault !== undefined) return void response.writeHead(fault.status).end(fault.body)
      let status = 200
      let body: unknown
      try {
        body = {
          request_id: 'fake',
          lease_id: '',
          renewable: false,
          lease_duration: 0,
          data: null,
          ...Object(answer(request, incoming)),
        }
      } catch (error) {
        status = error instanceof VaultRefusal ? error.status : 500
        body = { errors: error instanceof VaultRefusal ? error.errors : [String(error)] }
      }
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  }

  const { tls } = options
  const server =
    tls === undefined
      ? createServer(listener)
      : createTlsServer(
          { key: tls.key, cert: tls.cert, ca: tls.clientCa, requestCert: true, rejectUnauthorized: false },
          listener,
        )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the fake Vault listens on no port')

  const vault: FakeVault = {
    ...transit,
    ...tokens,
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}`,
    requests: [],
    enableLogin: (method, login) => void logins.set(login.mount ?? method, { ...login, method }),
    fault: () => undefined,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return vault
}

function isAuthorized(socket: object): boolean {
  const { authorized }: Partial<TLSSocket> = socket
  return authorized === true
}

function noRoute({ path }: VaultRequest): VaultRefusal {
  return new VaultRefusal(404, [
    `no handler for route ${JSON.stringify(path.slice('/v1/'.length))}. route entry not found.`,
  ])
}

function textOf(body: unknown, name: string): string {
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined
  if (typeof value !== 'string') throw new VaultRefusal(400, [`missing ${name}`])
  return value
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
