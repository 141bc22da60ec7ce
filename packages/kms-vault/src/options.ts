import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'
import type { Dispatcher } from 'undici'

/** How to get a Vault token. */
export type VaultAuth = VaultTokenAuth | VaultKubernetesAuth | VaultAppRoleAuth | VaultCertAuth

/** A token that something else made. */
export interface VaultTokenAuth {
  readonly method: 'token'
  /** The token, or what reads it anew: at the start, and when Vault refuses it. */
  readonly token: string | (() => string | Promise<string>)
}

/** The service account of a Kubernetes pod. */
export interface VaultKubernetesAuth {
  readonly method: 'kubernetes'
  readonly role: string
  /** Default `kubernetes`. */
  readonly mount?: string
  /** Read at each login; default `/var/run/secrets/kubernetes.io/serviceaccount/token`. */
  readonly tokenPath?: string
}

/** A machine's role and secret. */
export interface VaultAppRoleAuth {
  readonly method: 'approle'
  readonly roleId: string
  readonly secretId: string
  /** Default `approle`. */
  readonly mount?: string
}

/** A TLS client certificate. */
export interface VaultCertAuth {
  readonly method: 'cert'
  /** PEM. */
  readonly cert: string
  /** PEM. */
  readonly key: string
  /** Which of the mount's certificates to match; default any. */
  readonly role?: string
  /** Default `cert`. */
  readonly mount?: string
}

/** Options of `createVaultKms`. */
export interface VaultKmsOptions {
  /** Vault's URL. HTTPS, except to this machine. */
  readonly address: string
  /** The name of the transit key. */
  readonly transitKey: string
  /** Where the transit engine is; default `transit`. */
  readonly transitMount?: string
  /** Vault Enterprise's, or OpenBao's; default none. */
  readonly namespace?: string
  readonly auth: VaultAuth
  /** The authority of Vault's certificate, PEM; default Node's. */
  readonly ca?: string
  /** Lets the token and the keys pass unencrypted over a network; default false. */
  readonly allowInsecureHttp?: boolean
  /** Your own undici dispatcher, with its own TLS settings; yours to close. */
  readonly dispatcher?: Dispatcher
  /** One request; default 3,000. */
  readonly attemptTimeoutMs?: number
  /** The whole `encryptKey` or `decryptKey`, logins included; default 10,000. */
  readonly timeoutMs?: number
  /** Attempts when Vault does not answer, is sealed, overloaded or failing; default 3. */
  readonly maxAttempts?: number
}

/** Checked options with their defaults. */
export interface Settings {
  /** Without a slash at its end. */
  readonly baseUrl: string
  readonly encryptPath: string
  readonly decryptPath: string
  readonly namespace: string | undefined
  readonly auth: VaultAuth
  readonly attemptTimeoutMs: number
  readonly timeoutMs: number
  readonly maxAttempts: number
}

const OPTIONS = [
  'address',
  'transitKey',
  'transitMount',
  'namespace',
  'auth',
  'ca',
  'allowInsecureHttp',
  'dispatcher',
  'attemptTimeoutMs',
  'timeoutMs',
  'maxAttempts',
]

/** What each method takes: required, then optional. */
const AUTH_OPTIONS = {
  token: [['token'], []],
  kubernetes: [['role'], ['mount', 'tokenPath']],
  approle: [['roleId', 'secretId'], ['mount']],
  cert: [
    ['cert', 'key'],
    ['role', 'mount'],
  ],
} as const

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: VaultKmsOptions): Settings {
  checkKnownOptions('createVaultKms', options, OPTIONS)
  const { address, transitKey, transitMount = 'transit', namespace, auth, ca, dispatcher } = options
  checkText('transitKey', transitKey)
  if (namespace !== undefined) checkHeader('namespace', namespace)
  checkAuth(auth)
  if (dispatcher !== undefined) {
    if (typeof Reflect.get(Object(dispatcher), 'request') !== 'function') throw refused('dispatcher must be of undici')
    if (ca !== undefined || auth.method === 'cert') {
      throw refused('a dispatcher brings its own TLS settings: ca and auth.method cert do not go with it')
    }
  }
  if (ca !== undefined) checkText('ca', ca)
  const mount = encodePath('transitMount', transitMount)
  const key = encodePart('transitKey', transitKey)
  return {
    baseUrl: checkAddress(address, options.allowInsecureHttp),
    encryptPath: `/v1/${mount}/encrypt/${key}`,
    decryptPath: `/v1/${mount}/decrypt/${key}`,
    namespace,
    auth: { ...auth },
    attemptTimeoutMs: checkCount('attemptTimeoutMs', options.attemptTimeoutMs ?? 3_000),
    timeoutMs: checkCount('timeoutMs', options.timeoutMs ?? 10_000),
    maxAttempts: checkCount('maxAttempts', options.maxAttempts ?? 3, 10),
  }
}

/** A path of Vault, in which `/` separates mounts. Each part is encoded (D-078). */
export function encodePath(name: string, path: unknown): string {
  checkText(name, path)
  return path
    .split('/')
    .map((part) => encodePart(name, part))
    .join('/')
}

/** One part of a path; dots alone would lead elsewhere, however they are encoded. */
function encodePart(name: string, part: string): string {
  if (part === '' || part === '.' || part === '..' || /\p{Surrogate}/u.test(part))
    throw refused(`${name} is not a path of Vault`)
  return encodeURIComponent(part)
}

function checkAddress(address: unknown, allowInsecureHttp: boolean | undefined): string {
  checkText('address', address)
  // `vault.example.com:8200` is a URL too, of the scheme `vault.example.com`.
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(address)) {
    throw refused('address has no scheme: it must be a URL, such as https://vault.example.com:8200')
  }
  if (!URL.canParse(address)) throw refused('address must be a URL, such as https://vault.example.com:8200')
  const url = new URL(address)
  // None of it in the message: it may hold a password.
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw refused('address must be a URL without user, password, query and fragment')
  }
  const isLocal = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && (isLocal || allowInsecureHttp === true))) {
    throw refused('address must be https (http only to this machine, or with allowInsecureHttp)')
  }
  return url.href.replace(/\/+$/, '')
}

function checkAuth(auth: unknown): void {
  const method: unknown = Reflect.get(Object(auth), 'method')
  const known = Object.entries(AUTH_OPTIONS).find(([name]) => name === method)
  if (typeof auth !== 'object' || auth === null || known === undefined) {
    throw refused(`auth.method must be one of ${Object.keys(AUTH_OPTIONS).join(', ')}`)
  }
  const [required, optional] = known[1]
  checkKnownOptions(`createVaultKms: auth of method ${known[0]}`, auth, ['method', ...required, ...optional])
  for (const name of [...required, ...optional]) {
    const value: unknown = Reflect.get(auth, name)
    if (name === 'token' && typeof value === 'function') continue
    if (name === 'token') checkHeader('auth.token', value)
    else if (value !== undefined || required.some((other) => other === name)) checkText(`auth.${name}`, value)
    if (name === 'mount' && value !== undefined) encodePath('auth.mount', value)
  }
}

/** Text that can stand in an HTTP header. @throws InvalidConfigError */
export function checkHeader(name: string, value: unknown): asserts value is string {
  checkText(name, value)
  if (!/^[\x21-\x7e]+$/.test(value)) throw refused(`${name} has characters that no header can have`)
}

function checkText(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') throw refused(`${name} must be text that is not empty`)
}

function checkCount(name: string, value: unknown, max = 2 ** 31 - 1): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max) return value
  throw refused(`${name} must be a whole number from 1 to ${max}`)
}

function refused(what: string): InvalidConfigError {
  return new InvalidConfigError(`createVaultKms: ${what}`)
}
