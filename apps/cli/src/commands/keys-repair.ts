import { InvalidConfigError } from '@asherah/core'
import type { AwsKms } from '@asherah/kms-aws'
import { type Command, Option } from 'commander'
import { createStreamOutput } from '../io/output.ts'
import { isoTime } from '../keys/key-state.ts'
import { createRotation, systemKeyId } from '../keys/rotation.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { printable } from './keys-list.ts'
import { addKeysOptions, addOwnerOptions, type KeysFlags, type OpenKeys, withMetastore } from './keys-options.ts'

const help = `
A region is left out of a system key when its AWS KMS fails as the key is made, and none has a region that is new in the map.
A new system key with every region is one more row: no row is altered, and what is under the old key stays as readable as it was.
Intermediate keys go over to it as they expire; asherah keys rotate --all-partitions moves them at once.
Credentials come from where the AWS SDK finds them. Needs the package @asherah/kms-aws.

Example:
  $ asherah keys repair --region-map us-west-2=arn:aws:kms:us-west-2:111122223333:key/… \\
      --region-map eu-west-1=arn:aws:kms:eu-west-1:111122223333:key/… --preferred-region us-west-2`

interface RepairFlags extends KeysFlags {
  readonly regionMap: Readonly<Record<string, string>>
  readonly preferredRegion?: string
  readonly dryRun?: boolean
}

/** What was found, and done. Times are Unix seconds. */
interface Repair {
  readonly id: string
  readonly created: number
  /** Regions of the map that cannot decrypt the latest system key. */
  readonly missing: readonly string[]
  /** The new system key; null: none was needed, or asked for. */
  readonly repaired: number | null
}

/** `asherah keys repair` */
export function keysRepairCommand(context: CommandContext): Command {
  const description = 'make a new system key where the latest one cannot be decrypted in every AWS region'
  return addKeysOptions(addOwnerOptions(createCommand('repair', description)))
    .addOption(
      new Option('--region-map <region=arn>', 'a region and the ARN of its KMS key; repeated for each region')
        .argParser(collectRegion)
        .makeOptionMandatory(),
    )
    .option('--preferred-region <region>', 'the region that is asked first; needed when there are several')
    .option('--dry-run', 'only say which regions are missing')
    .addHelpText('after', help)
    .action(async (flags: RepairFlags) => {
      await withMetastore(flags, context, async (keys) => {
        const done = await repair(flags, keys)
        const output = createStreamOutput(context.stdout, 'standard output', { end: false })
        await output.write(Buffer.from(`${flags.json === true ? toJson(done) : format(done)}\n`))
      })
    })
}

async function repair(flags: RepairFlags, { metastore, settings, expireAfterMs }: OpenKeys): Promise<Repair> {
  const owner = { service: settings.required('service'), product: settings.required('product'), metastore }
  const id = systemKeyId(owner)
  const kms = await openAwsKms(flags)
  try {
    const latest = await metastore.loadLatest(id)
    if (latest === null) throw new InvalidConfigError(`the metastore has no system key '${printable(id)}'`)
    const missing = await kms.missingRegions(latest.encryptedKey)
    const found = { id, created: latest.created, missing }
    if (missing.length === 0 || flags.dryRun === true) return { ...found, repaired: null }
    const rotation = createRotation({ ...owner, kms, expireAfterMs })
    try {
      return { ...found, repaired: (await rotation.systemKey()).created }
    } finally {
      await rotation.close()
    }
  } finally {
    kms.close()
  }
}

/** Every region, or none: a repair that leaves one out again would be no repair. */
async function openAwsKms({ regionMap, preferredRegion }: RepairFlags): Promise<AwsKms> {
  const { createAwsKms } = await import('@asherah/kms-aws').catch((cause: unknown) => {
    throw new InvalidConfigError('keys repair needs the package @asherah/kms-aws: npm install @asherah/kms-aws', {
      cause,
    })
  })
  const preferred = preferredRegion === undefined ? {} : { preferredRegion }
  return createAwsKms({ regionMap, ...preferred, onPartialFailure: 'all' })
}

function collectRegion(
  value: string,
  before: Readonly<Record<string, string>> | undefined,
): Readonly<Record<string, string>> {
  const [region, arn, ...rest] = value.split('=')
  if (!region || !arn || rest.length > 0) throw new InvalidConfigError('--region-map must be REGION=ARN')
  if (before !== undefined && Object.hasOwn(before, region)) {
    throw new InvalidConfigError(`--region-map names ${printable(region)} twice`)
  }
  return { ...before, [region]: arn }
}

function format({ id, created, missing, repaired }: Repair): string {
  const key = `${printable(id)}  ${isoTime(created)}`
  if (missing.length === 0) return `${key}  has every region`
  const lacks = `${key}  lacks ${printable(missing.join(', '))}`
  return repaired === null ? lacks : `${lacks}\n${printable(id)}  ${isoTime(repaired)}  new, with every region`
}

function toJson({ id, created, missing, repaired }: Repair): string {
  return JSON.stringify({
    id,
    created: isoTime(created),
    createdUnix: created,
    missing,
    repaired: repaired === null ? null : isoTime(repaired),
    repairedUnix: repaired,
  })
}
