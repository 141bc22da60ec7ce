import { type BackendPlan, configKeys, kmsPlan, loadKms, readConfigObject } from '@asherah/config'
import { InvalidConfigError } from '@asherah/core'
import { checkKnownOptions, nearestName } from '@asherah/core/backend'
import type { AwsKms } from '@asherah/kms-aws'
import { type LoadPackage, loadPackage } from './load-metastore.ts'
import { type MasterKeySources, openMasterKey } from './master-key.ts'

/** A KMS that the command opened, and closes. */
export type OpenKms = Awaited<ReturnType<typeof loadKms>>

/** Options of {@link openKms}. */
export interface OpenKmsOptions {
  /** With several regions, wrap a key in each or not at all; default false: a region that fails is left out. */
  readonly everyRegion?: boolean
  /** Default: what is installed beside this package. */
  readonly load?: LoadPackage
}

type Options = Readonly<Record<string, string | undefined>>

/** One kind of `--kms`. */
interface Kind {
  readonly options: readonly string[]
  /** What it means in the terms of `@asherah/config`. */
  config(key: string, options: Options): Readonly<Record<string, unknown>>
}

const kinds: Readonly<Record<string, Kind>> = {
  'aws-kms': { options: ['region', 'profile'], config: awsConfig },
  'secrets-manager': {
    options: ['region', 'profile'],
    config: (secretsManagerSecretId, { region, profile }) => ({
      kms: 'secrets-manager',
      secretsManagerSecretId,
      dynamoDbRegion: region,
      awsProfileName: profile,
    }),
  },
  vault: {
    options: ['address', 'mount', 'namespace'],
    config: (vaultTransitKey, { address, mount, namespace }) => ({
      kms: 'vault',
      vaultTransitKey,
      vaultAddr: address,
      vaultTransitMount: mount,
      vaultNamespace: namespace,
    }),
  },
}

const forms =
  'static (a master key), aws-kms://KEY or aws-kms://ARN,ARN,…, secrets-manager://SECRET or vault://KEY, with options after a ?'

/** Flag and description. */
export const kmsFlag = [
  '--kms <setting>',
  'what wraps system keys: static (default), aws-kms://KEY, secrets-manager://SECRET or vault://KEY',
] as const

/**
 * Opens the KMS of `--kms`: `static`, or `KIND://KEY?option=value&…`; or else of a config of `@asherah/config`; or else `static`:
 * see {@link openMasterKey}.
 *
 * @throws InvalidConfigError that holds nothing of the text but names; also when the package is not installed.
 */
export async function openKms(
  sources: MasterKeySources,
  { everyRegion = false, load = loadPackage }: OpenKmsOptions = {},
): Promise<OpenKms> {
  const { settings } = sources
  const plan = chosenKms(sources)
  if (plan === undefined) return openMasterKey(sources)
  if (settings.given('masterKeyFile')?.origin === 'flag') {
    const source = settings.given('kms')?.source ?? `KMS in '${settings.configFile}'`
    throw new InvalidConfigError(`--master-key-file is for --kms static, but ${source} is another`)
  }
  const more = everyRegion && 'regionMap' in plan.options ? { onPartialFailure: 'all' } : {}
  return loadKms({ ...plan, options: { ...plan.options, ...more } }, load)
}

/** Which KMS {@link openKms} opens; undefined: the master key. @throws InvalidConfigError */
export function chosenKms({ settings, env }: Pick<MasterKeySources, 'settings' | 'env'>): BackendPlan | undefined {
  const text = settings.text('kms')
  if (text === undefined) return settings.library?.kms
  if (text === 'static') return undefined
  const { name, kind, key, options } = parse(text)
  try {
    // The AWS SDK reads its own.
    const variables = Object.entries(env).filter(([variable]) => name === 'vault' && variable.startsWith('VAULT_'))
    return kmsPlan(readConfigObject(kind.config(key, options), Object.fromEntries(variables)))
  } catch (cause) {
    if (!(cause instanceof InvalidConfigError)) throw cause
    throw new InvalidConfigError(`--kms ${name}: ${withVariables(cause.message)}`, { cause })
  }
}

/** Regions of `aws-kms://` that cannot unwrap a key; none for another KMS. */
export async function missingRegions(kms: OpenKms, encryptedKey: Uint8Array): Promise<readonly string[]> {
  return isAwsKms(kms) ? kms.missingRegions(encryptedKey) : []
}

function isAwsKms(kms: OpenKms): kms is AwsKms {
  return typeof Reflect.get(kms, 'missingRegions') === 'function'
}

function parse(text: string): {
  readonly name: string
  readonly kind: Kind
  readonly key: string
  readonly options: Options
} {
  const [, scheme, key, query = ''] = /^([a-z][a-z0-9-]{0,30}):\/\/([^?]*)(?:\?(.*))?$/i.exec(text) ?? []
  // Not quoted: it may be a misplaced secret.
  if (scheme === undefined || !key) throw new InvalidConfigError(`--kms must be ${forms}`)
  const name = scheme.toLowerCase()
  const kind = Object.hasOwn(kinds, name) ? kinds[name] : undefined
  if (kind === undefined) {
    const nearest = nearestName(name, Object.keys(kinds))
    throw new InvalidConfigError(
      `--kms knows no ${name}: ${nearest === undefined ? `it is ${forms}` : `did you mean ${nearest}?`}`,
    )
  }
  const options = Object.fromEntries(new URLSearchParams(query))
  checkKnownOptions(`--kms ${name}`, options, kind.options)
  return { name, kind, key, options }
}

/** One key of any form, or an ARN for each region, of which the first is asked first. */
function awsConfig(key: string, { region, profile }: Options): Readonly<Record<string, unknown>> {
  const common = { kms: 'aws', awsProfileName: profile }
  const arns = key.split(',')
  if (arns.length === 1) return { ...common, kmsKeyId: key, dynamoDbRegion: region }
  if (region !== undefined) throw new InvalidConfigError('region is for one key: ARNs name their regions')
  const regions = arns.map((arn) => /^arn:[^:]+:kms:([^:]+):/.exec(arn)?.[1])
  if (regions.includes(undefined))
    throw new InvalidConfigError('several keys must be ARNs of KMS keys, parted by commas')
  if (new Set(regions).size < regions.length) throw new InvalidConfigError('two of the ARNs are of one region')
  return {
    ...common,
    regionMap: Object.fromEntries(regions.map((name, i) => [name, arns[i]])),
    preferredRegion: regions[0],
  }
}

/** `VaultToken is missing` is `VAULT_TOKEN is missing` here. */
function withVariables(message: string): string {
  return message.replace(/\bVault[A-Z]\w+/g, (name) => configKeys.find((key) => key.name === name)?.env[0] ?? name)
}
