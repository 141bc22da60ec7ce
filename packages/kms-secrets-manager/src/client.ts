import {
  type GetSecretValueCommand,
  type GetSecretValueCommandOutput,
  type ListSecretVersionIdsCommand,
  type ListSecretVersionIdsCommandOutput,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import type { SecretsManagerKmsOptions } from './options.ts'

/** What this package needs of a `SecretsManagerClient` of `@aws-sdk/client-secrets-manager`. */
export interface SecretsManagerClientLike {
  send(command: GetSecretValueCommand, options?: SendOptions): Promise<GetSecretValueCommandOutput>
  send(command: ListSecretVersionIdsCommand, options?: SendOptions): Promise<ListSecretVersionIdsCommandOutput>
}

/** The options of one `send`. */
export interface SendOptions {
  readonly abortSignal?: AbortSignal
}

/** A client that this package made, and closes. */
export interface OwnClient extends SecretsManagerClientLike {
  destroy(): void
}

/** @param region without one, the SDK looks in `AWS_REGION` and the profile. */
export function createClient(region: string | undefined, options: SecretsManagerKmsOptions): OwnClient {
  const { credentials, profile, endpoint } = options
  return new SecretsManagerClient({
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    ...(profile !== undefined && { profile }),
    ...(endpoint !== undefined && { endpoint }),
  })
}
