import {
  type GetSecretValueCommand,
  type GetSecretValueCommandOutput,
  type ListSecretVersionIdsCommand,
  type ListSecretVersionIdsCommandOutput,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import type { SecretsManagerKmsOptions, Settings } from './options.ts'

/** What this package needs of a `SecretsManagerClient` of `@aws-sdk/client-secrets-manager`. */
export interface SecretsManagerClientLike {
  send(command: GetSecretValueCommand, options?: SendOptions): Promise<GetSecretValueCommandOutput>
  send(command: ListSecretVersionIdsCommand, options?: SendOptions): Promise<ListSecretVersionIdsCommandOutput>
  /** For messages. */
  readonly config?: { region(): Promise<string> }
}

/** The options of one `send`. */
export interface SendOptions {
  readonly abortSignal?: AbortSignal
}

/** A client, and how to end it. */
export interface ClosableClient {
  readonly client: SecretsManagerClientLike
  /** Destroys a client that was made here, and leaves alone one that was given. */
  close(): void
}

const MAX_ATTEMPTS = 3

/** The client that was given, or a new one: without a region, the SDK looks in `AWS_REGION` and the profile. */
export function openClient({ region, timeoutMs }: Settings, options: SecretsManagerKmsOptions): ClosableClient {
  if (options.client !== undefined) return { client: options.client, close: () => {} }
  const { credentials, profile, endpoint } = options
  // Each attempt gets its share, so that one lost answer does not use up the request's time.
  const attemptMs = Math.max(1, Math.floor(timeoutMs / MAX_ATTEMPTS))
  const client = new SecretsManagerClient({
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    ...(profile !== undefined && { profile }),
    ...(endpoint !== undefined && { endpoint }),
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: { connectionTimeout: attemptMs, requestTimeout: attemptMs, throwOnRequestTimeout: true },
  })
  return { client, close: () => client.destroy() }
}
