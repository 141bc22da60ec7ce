import {
  type DecryptCommand,
  type DecryptCommandOutput,
  type EncryptCommand,
  type EncryptCommandOutput,
  type GenerateDataKeyCommand,
  type GenerateDataKeyCommandOutput,
  KMSClient,
  type KMSClientConfig,
} from '@aws-sdk/client-kms'

/** What this package needs of a `KMSClient` of `@aws-sdk/client-kms`. */
export interface KmsClientLike {
  send(command: GenerateDataKeyCommand, options?: SendOptions): Promise<GenerateDataKeyCommandOutput>
  send(command: EncryptCommand, options?: SendOptions): Promise<EncryptCommandOutput>
  send(command: DecryptCommand, options?: SendOptions): Promise<DecryptCommandOutput>
  /** Asked for its region only where neither the key nor an option says one. */
  readonly config?: { region(): Promise<string> }
}

/** The options of one `send`. */
export interface SendOptions {
  readonly abortSignal?: AbortSignal
}

/** A client, and how to end it. */
export interface ClosableClient {
  readonly client: KmsClientLike
  /** Destroys a client that was made here, and leaves alone one that was given. */
  close(): void
}

/** What the clients that are made here have in common. */
export interface ClientSettings {
  readonly credentials: KMSClientConfig['credentials']
  readonly profile: string | undefined
  readonly endpoint: string | undefined
  readonly maxAttempts: number
  readonly regionTimeoutMs: number
}

/**
 * The client that was given, or a new one.
 *
 * @param region without one, the SDK looks in `AWS_REGION` and the profile.
 */
export function openClient(
  given: KmsClientLike | undefined,
  region: string | undefined,
  settings: ClientSettings,
): ClosableClient {
  if (given !== undefined) return { client: given, close: () => {} }
  const { credentials, profile, endpoint, maxAttempts, regionTimeoutMs } = settings
  // Each attempt gets its share, so that one lost answer does not use up the region's time.
  const attemptMs = Math.max(1, Math.floor(regionTimeoutMs / maxAttempts))
  const client = new KMSClient({
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    ...(profile !== undefined && { profile }),
    ...(endpoint !== undefined && { endpoint }),
    maxAttempts,
    requestHandler: { connectionTimeout: attemptMs, requestTimeout: attemptMs, throwOnRequestTimeout: true },
  })
  return { client, close: () => client.destroy() }
}
