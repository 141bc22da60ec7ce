import { checkKnownOptions, InvalidConfigError, type SecretFactory } from '@asherah/core/backend'
import type { SecretsManagerClientConfig } from '@aws-sdk/client-secrets-manager'
import type { SecretsManagerClientLike } from './client.ts'

/** Options of `createSecretsManagerKms`. */
export interface SecretsManagerKmsOptions {
  /** The secret's name or ARN. Its value is 32 bytes (SecretBinary) or 64 hex digits (SecretString). */
  readonly secretId: string
  /** The stage of the version that encrypts; default `AWSCURRENT`. */
  readonly versionStage?: string
  /** Where the secret is; default the ARN's region, else the SDK's: `AWS_REGION`, or the profile's. */
  readonly region?: string
  /** Default the SDK's own chain: environment, profile, container, instance. */
  readonly credentials?: SecretsManagerClientConfig['credentials']
  /** A profile of the shared AWS configuration files. */
  readonly profile?: string
  /** A URL, as a local stand-in has. Default the SDK's: `AWS_ENDPOINT_URL_SECRETS_MANAGER`, or AWS. */
  readonly endpoint?: string
  /** Your own client; yours to destroy. */
  readonly client?: SecretsManagerClientLike
  /** Where the master keys are kept; default core's `createHeapSecrets()`. Yours to close. */
  readonly secrets?: SecretFactory
  /** How long the current version is used before it is looked up again; default 1 hour, in milliseconds. */
  readonly refreshMs?: number
  /** One request to Secrets Manager, with the SDK's retries; default 5,000. */
  readonly timeoutMs?: number
  /** How many former versions a key that does not open is tried with, newest first; default 20. */
  readonly maxFormerVersions?: number
}

/** Checked options with their defaults. */
export interface Settings {
  readonly secretId: string
  readonly versionStage: string
  readonly region: string | undefined
  readonly refreshMs: number
  readonly timeoutMs: number
  readonly maxFormerVersions: number
}

const CLIENT_OPTIONS = ['region', 'credentials', 'profile', 'endpoint']
const OPTIONS = [
  'secretId',
  'versionStage',
  ...CLIENT_OPTIONS,
  'client',
  'secrets',
  'refreshMs',
  'timeoutMs',
  'maxFormerVersions',
]
const SECRET_ARN = /^arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):\d{12}:secret:.+$/
const MAX_TIMER_MS = 2 ** 31 - 1

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: SecretsManagerKmsOptions): Settings {
  checkKnownOptions('createSecretsManagerKms', options, OPTIONS)
  const { secretId, region, endpoint, client, secrets } = options
  checkText('secretId', secretId)
  for (const name of ['versionStage', 'region', 'profile'] as const) {
    if (options[name] !== undefined) checkText(name, options[name])
  }
  if (endpoint !== undefined && !URL.canParse(endpoint)) throw refused('endpoint must be a URL')
  if (client !== undefined) {
    if (!hasMethod(client, 'send')) throw refused('client must be a SecretsManagerClient')
    const unused = CLIENT_OPTIONS.find((name) => Object.hasOwn(options, name))
    if (unused !== undefined) throw refused(`${unused} has no effect, as a client is given`)
  }
  if (secrets !== undefined && !hasMethod(secrets, 'fromBytes')) throw refused('secrets must be a SecretFactory')
  const arnRegion = SECRET_ARN.exec(secretId)?.[1]
  if (secretId.startsWith('arn:') && arnRegion === undefined) throw refused('secretId is not the ARN of a secret')
  if (arnRegion !== undefined && region !== undefined && arnRegion !== region) {
    throw refused(`secretId is the ARN of a secret in ${arnRegion}, not in ${region}`)
  }
  return {
    secretId,
    versionStage: options.versionStage ?? 'AWSCURRENT',
    region: arnRegion ?? region,
    refreshMs: checkCount('refreshMs', options.refreshMs ?? 3_600_000, 1, Number.MAX_SAFE_INTEGER),
    timeoutMs: checkCount('timeoutMs', options.timeoutMs ?? 5_000, 1, MAX_TIMER_MS),
    maxFormerVersions: checkCount('maxFormerVersions', options.maxFormerVersions ?? 20, 0, 100),
  }
}

function hasMethod(object: unknown, name: string): boolean {
  return typeof object === 'object' && object !== null && typeof Reflect.get(object, name) === 'function'
}

function checkText(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw refused(`${name} must be text that is not empty`)
}

function checkCount(name: string, value: unknown, min: number, max: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw refused(`${name} must be a whole number from ${min} to ${max}`)
}

function refused(what: string): InvalidConfigError {
  return new InvalidConfigError(`createSecretsManagerKms: ${what}`)
}
