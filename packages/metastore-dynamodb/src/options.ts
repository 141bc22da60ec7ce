import { checkKnownOptions, InvalidConfigError } from '@asherah/core/backend'
import type { DynamoDBClient, DynamoDBClientConfig } from '@aws-sdk/client-dynamodb'

/** What the metastore uses of a client that it is given; a `DynamoDBClient` of AWS SDK v3 is one. */
export interface DynamoDbClientLike extends Pick<DynamoDBClient, 'send'> {
  readonly config: { readonly region: () => Promise<string> }
}

/** Options of `createDynamoDbMetastore`. */
export interface DynamoDbMetastoreOptions {
  /** Default `EncryptionKey`. A name, or a table's ARN. */
  readonly tableName?: string
  /**
   * The AWS region of the table. Default: what the SDK finds (`AWS_REGION`, then the profile). With `client`, it must be
   * that client's own region.
   */
  readonly region?: string
  /**
   * Ends the ids of all keys: one region of a global table. `true`: the region's name, which must then be known from
   * `region`, `clientConfig.region`, `signingRegion` or `AWS_REGION`. Text: that text, whatever the region. Default `false`.
   */
  readonly regionSuffix?: boolean | string
  /** The address of the service, if it is not AWS's own for the region; of DynamoDB only. */
  readonly endpoint?: string | URL
  /** The region that requests are signed for, where an `endpoint` wants another than `region`. Default `region`. */
  readonly signingRegion?: string
  /** Default: the SDK's own chain. A provider is called again when what it gave expires. */
  readonly credentials?: NonNullable<DynamoDBClientConfig['credentials']>
  /** Anything else that the SDK's client takes, such as `requestHandler` or `logger`; not its retries. */
  readonly clientConfig?: DynamoDBClientConfig
  /** A client of the caller's, which `close` leaves open. Its retries are its own: `maxAttempts` belongs to it. */
  readonly client?: DynamoDbClientLike
  /** How often a request is tried, 1 to 20; default 5. Not together with `client`. */
  readonly maxAttempts?: number
  /** After how many ms a try is given up for the next one; default 3,000. Not together with `client`. */
  readonly attemptTimeoutMs?: number
  /** After how many ms a call fails, whatever it waits for: tries, pauses, credentials; default 10,000. */
  readonly timeoutMs?: number
  /**
   * How many rows `list` gives for one scan of the table, 100 to 1,000,000; default 10,000. Up to twice as many are in
   * memory, some 20 MB.
   */
  readonly listBatchRows?: number
}

/** The options as the metastore uses them: complete, checked, copied. */
export interface Settings {
  readonly tableName: string
  readonly regionSuffix: string | undefined
  readonly client: DynamoDbClientLike | undefined
  /** For a client of our own. */
  readonly clientConfig: DynamoDBClientConfig
  /** What `client` must say that its region is, where the caller named it. */
  readonly expectedRegion: string | undefined
  readonly maxAttempts: number
  readonly attemptTimeoutMs: number
  readonly timeoutMs: number
  readonly listBatchRows: number
}

const KNOWN = [
  'tableName',
  'region',
  'regionSuffix',
  'endpoint',
  'signingRegion',
  'credentials',
  'clientConfig',
  'client',
  'maxAttempts',
  'attemptTimeoutMs',
  'timeoutMs',
  'listBatchRows',
] as const

/** What a client of the caller's has decided already. */
const OF_OWN_CLIENT = [
  'endpoint',
  'signingRegion',
  'credentials',
  'clientConfig',
  'maxAttempts',
  'attemptTimeoutMs',
] as const

/** Two places for one thing: the second one silently lost. */
const OF_OPTIONS_ALONE = ['region', 'endpoint', 'signingRegion', 'credentials'] as const
const RETRIES = ['maxAttempts', 'retryMode', 'retryStrategy'] as const

const LONE_SURROGATE = /\p{Surrogate}/u
const REGION = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i
const TABLE_NAME = /^[A-Za-z0-9_.-]{3,255}$/
const TABLE_ARN = /^arn:[a-z0-9-]+:dynamodb:[a-z0-9-]*:\d*:table\/[A-Za-z0-9_.-]{3,255}$/

/** @throws InvalidConfigError naming the option and what is allowed. */
export function checkOptions(options: DynamoDbMetastoreOptions): Settings {
  checkKnownOptions('createDynamoDbMetastore', options, KNOWN)
  const { tableName = 'EncryptionKey', client } = options
  if (typeof tableName !== 'string' || !(TABLE_NAME.test(tableName) || TABLE_ARN.test(tableName))) {
    throw new InvalidConfigError(
      "tableName must be a DynamoDB table's name (3 to 255 of a-z, A-Z, 0-9, _ . -) or its ARN",
    )
  }
  checkClient(options)
  const region = knownRegion(options)
  const timeoutMs = checkNumber('timeoutMs', options.timeoutMs, 10_000, 1, 600_000)
  return {
    tableName,
    regionSuffix: checkSuffix(options.regionSuffix, region, client !== undefined),
    client,
    clientConfig: ownClientConfig(options, region),
    expectedRegion: client === undefined ? undefined : region,
    maxAttempts: client === undefined ? checkNumber('maxAttempts', options.maxAttempts, 5, 1, 20) : 1,
    attemptTimeoutMs:
      client === undefined ? checkNumber('attemptTimeoutMs', options.attemptTimeoutMs, 3_000, 1, 600_000) : timeoutMs,
    timeoutMs,
    listBatchRows: checkNumber('listBatchRows', options.listBatchRows, 10_000, 100, 1_000_000),
  }
}

function checkClient(options: DynamoDbMetastoreOptions): void {
  const { client, clientConfig } = options
  if (client !== undefined) {
    if (typeof client?.send !== 'function' || typeof client.config?.region !== 'function') {
      throw new InvalidConfigError('client must be a DynamoDBClient of @aws-sdk/client-dynamodb')
    }
    const conflict = OF_OWN_CLIENT.find((name) => options[name] !== undefined)
    if (conflict !== undefined) {
      throw new InvalidConfigError(`${conflict} cannot be given together with client, which has its own`)
    }
  }
  if (clientConfig === undefined) return
  if (typeof clientConfig !== 'object' || clientConfig === null) {
    throw new InvalidConfigError('clientConfig must be an object: what the constructor of DynamoDBClient takes')
  }
  const double = OF_OPTIONS_ALONE.find((name) => options[name] !== undefined && clientConfig[name] !== undefined)
  if (double !== undefined) throw new InvalidConfigError(`${double} is given twice: also in clientConfig`)
  const retries = RETRIES.find((name) => clientConfig[name] !== undefined)
  if (retries !== undefined) {
    throw new InvalidConfigError(
      `clientConfig.${retries}: the metastore does the retries (maxAttempts, attemptTimeoutMs, timeoutMs); give a client to keep your own`,
    )
  }
}

/** The region as far as it is known without waiting for the SDK. */
function knownRegion(options: DynamoDbMetastoreOptions): string | undefined {
  const signingRegion = checkRegion('signingRegion', options.signingRegion)
  const region = checkRegion('region', options.region)
  if (region !== undefined || options.client !== undefined) return region
  const ofConfig = options.clientConfig?.region
  if (ofConfig !== undefined)
    return typeof ofConfig === 'string' ? checkRegion('clientConfig.region', ofConfig) : undefined
  return signingRegion ?? checkRegion('AWS_REGION', process.env.AWS_REGION || undefined)
}

function checkRegion(name: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string' && REGION.test(value)) return value
  throw new InvalidConfigError(`${name} must be the name of a region, such as eu-west-1`)
}

function checkSuffix(value: unknown, region: string | undefined, hasClient: boolean): string | undefined {
  if (value === undefined || value === false) return undefined
  if (value === true) {
    if (region !== undefined) return region
    const where = hasClient ? "give region, the client's own" : 'give region, or set AWS_REGION'
    throw new InvalidConfigError(`regionSuffix: true needs the region's name before the first call: ${where}`)
  }
  if (typeof value === 'string' && value !== '' && !LONE_SURROGATE.test(value)) return value
  throw new InvalidConfigError('regionSuffix must be true, false, or non-empty text')
}

function ownClientConfig(options: DynamoDbMetastoreOptions, region: string | undefined): DynamoDBClientConfig {
  const { credentials, signingRegion, clientConfig } = options
  const endpoint = checkEndpoint(options.endpoint)
  return {
    ...clientConfig,
    ...(region === undefined ? {} : { region }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(signingRegion === undefined ? {} : { signingRegion }),
    ...(credentials === undefined ? {} : { credentials }),
    // One SDK try for each of ours: the SDK's own retries know no budget, and a pause of theirs cannot be aborted.
    maxAttempts: 1,
  }
}

function checkEndpoint(value: unknown): string | undefined {
  if (value === undefined) return undefined
  const url =
    value instanceof URL ? value : typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new InvalidConfigError('endpoint must be an http: or https: URL')
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidConfigError('endpoint must not hold a user or password: credentials are an option of their own')
  }
  return url.href
}

function checkNumber(name: string, value: unknown, byDefault: number, min: number, max: number): number {
  if (value === undefined) return byDefault
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw new InvalidConfigError(`${name} must be a whole number from ${min} to ${max}`)
}
