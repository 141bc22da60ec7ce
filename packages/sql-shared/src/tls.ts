import { isIP } from 'node:net'
import { checkServerIdentity, type PeerCertificate } from 'node:tls'
import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'

/** How the server's certificate is verified, and who we say we are. */
export interface TlsOptions {
  /** Certificates that are trusted in the place of the system's, in PEM. */
  readonly ca?: string | Uint8Array
  /** Our own certificate, in PEM. */
  readonly cert?: string | Uint8Array
  /** The key of our own certificate, in PEM. */
  readonly key?: string | Uint8Array
  /** The name that the certificate must have; default the host. */
  readonly serverName?: string
  /** Do not verify the certificate: anyone on the way can read and change what is sent. Default false. */
  readonly allowUnverifiedCertificate?: boolean
}

/** What Node's TLS takes; undefined where a driver must not use TLS. */
export interface TlsSettings {
  readonly rejectUnauthorized: boolean
  readonly minVersion: 'TLSv1.2'
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  /** Left out where the host is an address: those have no SNI. */
  readonly servername?: string
  /** Drivers do not always tell Node the name that was meant. */
  checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined
}

const KNOWN = ['ca', 'cert', 'key', 'serverName', 'allowUnverifiedCertificate'] as const

/** True when nothing that is sent to the host leaves this machine. */
export function isLocalHost(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('/') || (isIP(host) === 4 && host.startsWith('127.'))
}

/**
 * TLS as asked for; by default verified for every host that is not local, and off for local ones (D-066).
 *
 * @throws InvalidConfigError naming the option.
 */
export function tlsSettings(tls: boolean | TlsOptions | undefined, host: string): TlsSettings | undefined {
  if (tls === false || (tls === undefined && isLocalHost(host))) return undefined
  const options: TlsOptions = tls === undefined || tls === true ? {} : tls
  checkKnownOptions('tls', options, KNOWN)
  const { ca, cert, key, serverName, allowUnverifiedCertificate = false } = options
  if (typeof allowUnverifiedCertificate !== 'boolean') {
    throw new InvalidConfigError('tls.allowUnverifiedCertificate must be true or false')
  }
  if (serverName !== undefined && (typeof serverName !== 'string' || serverName === '')) {
    throw new InvalidConfigError('tls.serverName must be non-empty text')
  }
  if ((cert === undefined) !== (key === undefined)) throw new InvalidConfigError('tls.cert and tls.key go together')
  const name = serverName ?? host
  return {
    rejectUnauthorized: !allowUnverifiedCertificate,
    minVersion: 'TLSv1.2',
    ...(ca === undefined ? {} : { ca: pem('ca', ca) }),
    ...(cert === undefined ? {} : { cert: pem('cert', cert) }),
    ...(key === undefined ? {} : { key: pem('key', key) }),
    ...(isIP(name) === 0 ? { servername: name } : {}),
    checkServerIdentity: (_, certificate) =>
      allowUnverifiedCertificate ? undefined : checkServerIdentity(name, certificate),
  }
}

function pem(option: string, value: unknown): string | Buffer {
  if (typeof value === 'string' && value !== '') return value
  if (value instanceof Uint8Array && value.byteLength > 0) return Buffer.from(value)
  throw new InvalidConfigError(`tls.${option} must be PEM, as text or bytes`)
}
