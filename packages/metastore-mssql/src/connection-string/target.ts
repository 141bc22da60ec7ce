/** What a connection string says. */
export interface MssqlTarget {
  readonly server: string
  /** Undefined: 1433, or what SQL Server Browser says of the instance. */
  readonly port?: number | undefined
  readonly instanceName?: string | undefined
  readonly database: string
  readonly login: MssqlLogin
  /** `strict` is TDS 8: TLS before anything else. Undefined: nothing is said of it. */
  readonly encrypt?: boolean | 'strict' | undefined
  readonly trustServerCertificate?: boolean | undefined
  /** The name that the certificate must have. */
  readonly hostNameInCertificate?: string | undefined
  /** ApplicationIntent=ReadOnly: a readable secondary may answer. */
  readonly readOnlyIntent?: boolean | undefined
  readonly multiSubnetFailover?: boolean | undefined
  readonly appName?: string | undefined
  readonly workstationId?: string | undefined
  readonly packetSize?: number | undefined
  readonly connectTimeoutMs?: number | undefined
  readonly queryTimeoutMs?: number | undefined
  readonly maxConnections?: number | undefined
  readonly minIdleConnections?: number | undefined
  readonly maxLifetimeMs?: number | undefined
}

/** How to log in. */
export type MssqlLogin =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** Entra ID: environment, workload identity, managed identity, developer tools, in this order. */
  | { readonly kind: 'default'; readonly clientId?: string }
  | { readonly kind: 'managed-identity'; readonly clientId?: string }
  /** The caller's own credential, or an error where there is none. */
  | { readonly kind: 'none' }
