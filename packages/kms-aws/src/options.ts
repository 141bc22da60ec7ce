import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'
import type { KMSClientConfig } from '@aws-sdk/client-kms'
import { parseKeyArn } from './arn.ts'
import type { KmsClientLike } from './client.ts'

/** When a new system key may be written although a region failed to encrypt its data key. */
export type PartialFailurePolicy = 'best-effort' | 'all' | { readonly minimum: number }

/** Options of `createAwsKms` for a key in each of several regions. */
export interface AwsKmsRegionsOptions extends AwsKmsCommonOptions {
  /** From each region to its key's ARN (or, in that region, a key id or `alias/…`). The order is that of failover. */
  readonly regionMap: Readonly<Record<string, string>>
  /** The region that is asked first: the one this process runs in. Needed when the map has several. */
  readonly preferredRegion?: string
  /**
   * Default `'best-effort'`: one region is enough, and each that failed is left out with a warning. `'all'`: every region, or
   * the write fails. `{ minimum }`: at least so many.
   */
  readonly onPartialFailure?: PartialFailurePolicy
  /** Keys that a region had before, by region: for decrypting only. Default none. */
  readonly formerKeys?: Readonly<Record<string, readonly string[]>>
  /** Your own clients, by region; yours to destroy. For the other regions clients are made. */
  readonly clients?: Readonly<Record<string, KmsClientLike>>
}

/** Options of `createAwsKms` for one key. */
export interface AwsKmsSingleKeyOptions extends AwsKmsCommonOptions {
  /** An ARN, a key id, or `alias/…`. */
  readonly keyId: string
  /** Where the key is; needed only when `keyId` is no ARN. Default the SDK's own: `AWS_REGION`, or the profile's. */
  readonly region?: string
  /** Your own client; yours to destroy. */
  readonly client?: KmsClientLike
}

/** Options of every form of `createAwsKms`. */
export interface AwsKmsCommonOptions {
  /** Default the SDK's own chain: environment, profile, container, instance. */
  readonly credentials?: KMSClientConfig['credentials']
  /** A profile of the shared AWS configuration files. */
  readonly profile?: string
  /** A URL for all regions, as a local stand-in has. Default the SDK's: `AWS_ENDPOINT_URL_KMS`, or AWS. */
  readonly endpoint?: string
  /** Attempts of one call in one region, with the SDK's jittered back-off and retry budget; default 2. */
  readonly maxAttempts?: number
  /** A region that has not answered after this has failed; default 3,000. */
  readonly regionTimeoutMs?: number
  /** The whole `encryptKey` or `decryptKey`; default `regionTimeoutMs` for each region, and once more. */
  readonly timeoutMs?: number
  /** After so many transient failures in a row (default 5) a region is asked last, for `cooldownMs` (default 10,000). */
  readonly breaker?: { readonly failures?: number; readonly cooldownMs?: number }
}

/** Options of `createAwsKms`: `regionMap`, or `keyId` alone. */
export type AwsKmsOptions = AwsKmsRegionsOptions | AwsKmsSingleKeyOptions

/** One region and its key, as the options name them. */
export interface ConfiguredKey {
  /** `undefined`: the client knows. */
  readonly region: string | undefined
  readonly keyId: string
  readonly formerKeyIds: readonly string[]
  readonly client: KmsClientLike | undefined
}

/** Checked options. */
export interface Settings {
  /** The preferred one first. */
  readonly keys: readonly ConfiguredKey[]
  /** How many regions must have the data key before a system key is written. */
  readonly minimum: number
  readonly credentials: KMSClientConfig['credentials']
  readonly profile: string | undefined
  readonly endpoint: string | undefined
  readonly maxAttempts: number
  readonly regionTimeoutMs: number
  readonly timeoutMs: number
  readonly breaker: { readonly failures: number; readonly cooldownMs: number }
}

const COMMON = ['credentials', 'profile', 'endpoint', 'maxAttempts', 'regionTimeoutMs', 'timeoutMs', 'breaker']
const REGIONS = ['regionMap', 'preferredRegion', 'onPartialFailure', 'formerKeys', 'clients']
const SINGLE = ['keyId', 'region', 'client']

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: AwsKmsOptions): Settings {
  checkKnownOptions('createAwsKms', options, [...REGIONS, ...SINGLE, ...COMMON])
  const [form, others] = 'regionMap' in options ? ['regionMap', SINGLE] : ['keyId', REGIONS]
  const foreign = others.find((name) => Object.hasOwn(options, name))
  if (foreign !== undefined) throw new InvalidConfigError(`createAwsKms: ${foreign} does not go with ${form}`)
  const keys = 'regionMap' in options ? checkRegions(options) : [checkSingleKey(options)]
  const unused = ['credentials', 'profile', 'endpoint', 'maxAttempts'].find((name) => Object.hasOwn(options, name))
  if (unused !== undefined && keys.every(({ client }) => client !== undefined)) {
    throw new InvalidConfigError(`createAwsKms: ${unused} has no effect, as every client is given`)
  }
  return {
    ...checkCommon(options, keys.length),
    keys,
    minimum: 'regionMap' in options ? checkMinimum(options, keys.length) : 1,
  }
}

function checkCommon(options: AwsKmsCommonOptions, regions: number): Omit<Settings, 'keys' | 'minimum'> {
  const { profile, endpoint, breaker = {} } = options
  checkKnownOptions('createAwsKms: breaker', breaker, ['failures', 'cooldownMs'])
  if (profile !== undefined) checkText('profile', profile)
  if (endpoint !== undefined && !URL.canParse(endpoint)) {
    throw new InvalidConfigError('createAwsKms: endpoint must be a URL, such as http://127.0.0.1:4566')
  }
  const regionTimeoutMs = checkCount('regionTimeoutMs', options.regionTimeoutMs ?? 3_000)
  return {
    credentials: options.credentials,
    profile,
    endpoint,
    maxAttempts: checkCount('maxAttempts', options.maxAttempts ?? 2, 10),
    regionTimeoutMs,
    timeoutMs: checkCount('timeoutMs', options.timeoutMs ?? regionTimeoutMs * (regions + 1)),
    breaker: {
      failures: checkCount('breaker.failures', breaker.failures ?? 5),
      cooldownMs: checkCount('breaker.cooldownMs', breaker.cooldownMs ?? 10_000),
    },
  }
}

function checkRegions(options: AwsKmsRegionsOptions): ConfiguredKey[] {
  const { regionMap, preferredRegion, formerKeys = {}, clients = {} } = options
  checkMap('regionMap', regionMap)
  const regions = Object.keys(regionMap)
  if (regions.length === 0) throw new InvalidConfigError('createAwsKms: regionMap names no region')
  const preferred = preferredRegion ?? (regions.length === 1 ? regions[0] : undefined)
  if (preferred === undefined || !regions.includes(preferred)) {
    throw new InvalidConfigError(`createAwsKms: preferredRegion must be one of regionMap's: ${regions.join(', ')}`)
  }
  checkMap('formerKeys', formerKeys, regions)
  checkMap('clients', clients, regions)
  return [preferred, ...regions.filter((region) => region !== preferred)].map((region) => {
    const client = clients[region]
    if (client !== undefined) checkClient(`clients[${region}]`, client)
    const former = formerKeys[region] ?? []
    if (!Array.isArray(former))
      throw new InvalidConfigError(`createAwsKms: formerKeys[${region}] must be a list of ARNs`)
    return {
      region,
      keyId: checkKeyId(`regionMap[${region}]`, regionMap[region], region),
      formerKeyIds: former.map((arn: unknown) => checkKeyId(`formerKeys[${region}]`, arn, region, true)),
      client,
    }
  })
}

function checkSingleKey({ keyId, region, client }: AwsKmsSingleKeyOptions): ConfiguredKey {
  if (keyId === undefined) throw new InvalidConfigError('createAwsKms: regionMap or keyId is missing')
  if (region !== undefined) checkText('region', region)
  if (client !== undefined) checkClient('client', client)
  // The key's own region, never another service's (D-084).
  const checked = checkKeyId('keyId', keyId, region)
  return { region: parseKeyArn(checked)?.region ?? region, keyId: checked, formerKeyIds: [], client }
}

/** A key id, alias or ARN; an ARN's region must be the one expected. */
function checkKeyId(name: string, keyId: unknown, region: string | undefined, arnOnly = false): string {
  checkText(name, keyId)
  const arn = parseKeyArn(keyId)
  if (arn === undefined && (arnOnly || keyId.startsWith('arn:'))) {
    throw new InvalidConfigError(`createAwsKms: ${name} is not the ARN of a KMS key, arn:aws:kms:region:account:key/id`)
  }
  if (arn !== undefined && region !== undefined && arn.region !== region) {
    throw new InvalidConfigError(`createAwsKms: ${name} is the ARN of a key in ${arn.region}, not in ${region}`)
  }
  return keyId
}

function checkMinimum({ onPartialFailure = 'best-effort' }: AwsKmsRegionsOptions, regions: number): number {
  if (onPartialFailure === 'best-effort') return 1
  if (onPartialFailure === 'all') return regions
  if (typeof onPartialFailure !== 'object' || onPartialFailure === null) {
    throw new InvalidConfigError("createAwsKms: onPartialFailure must be 'best-effort', 'all' or { minimum }")
  }
  checkKnownOptions('createAwsKms: onPartialFailure', onPartialFailure, ['minimum'])
  return checkCount('onPartialFailure.minimum', onPartialFailure.minimum, regions)
}

function checkMap(name: string, map: unknown, regions?: readonly string[]): void {
  if (typeof map !== 'object' || map === null || Array.isArray(map)) {
    throw new InvalidConfigError(`createAwsKms: ${name} must be an object whose names are regions`)
  }
  const stranger = Object.keys(map).find((region) => region === '' || regions?.includes(region) === false)
  if (stranger !== undefined) {
    throw new InvalidConfigError(`createAwsKms: ${name} names ${JSON.stringify(stranger)}, which is not in regionMap`)
  }
}

function checkClient(name: string, client: unknown): void {
  const isClient =
    typeof client === 'object' && client !== null && 'send' in client && typeof client.send === 'function'
  if (!isClient) throw new InvalidConfigError(`createAwsKms: ${name} must be a KMSClient`)
}

function checkText(name: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value === '') {
    throw new InvalidConfigError(`createAwsKms: ${name} must be text that is not empty`)
  }
}

function checkCount(name: string, value: unknown, max = 2 ** 31 - 1): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max) return value
  throw new InvalidConfigError(`createAwsKms: ${name} must be a whole number from 1 to ${max}`)
}
