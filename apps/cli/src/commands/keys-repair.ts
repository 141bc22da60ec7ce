import { InvalidConfigError } from '@asherah/core'
import type { Command } from 'commander'
import { createStreamOutput } from '../io/output.ts'
import { isoTime } from '../keys/key-state.ts'
import { chosenKms, kmsFlag, missingRegions, type OpenKms, openKms } from '../keys/kms-setting.ts'
import { createRotation, systemKeyId } from '../keys/rotation.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { printable } from './keys-list.ts'
import { addKeysOptions, addOwnerOptions, type KeysFlags, type OpenKeys, withMetastore } from './keys-options.ts'

const help = `
A region is left out of a system key when its AWS KMS fails as the key is made; and it, or its KMS key, may be new in --kms.
A new system key with every region is one more row: no row is altered, and what is under the old key stays as readable as it was.
Intermediate keys go over to it as they expire; asherah keys rotate --all-partitions moves them at once.
Credentials come from where the AWS SDK finds them. Needs the package @asherah/kms-aws.

Example:
  $ asherah keys repair \\
      --kms aws-kms://arn:aws:kms:us-west-2:111122223333:key/…,arn:aws:kms:eu-west-1:111122223333:key/…`

interface RepairFlags extends KeysFlags {
  readonly dryRun?: boolean
}

/** What was found, and done. Times are Unix seconds. */
interface Repair {
  readonly id: string
  readonly created: number
  /** Regions of `--kms` that cannot decrypt the latest system key. */
  readonly missing: readonly string[]
  /** The new system key; null: none was needed, or asked for. */
  readonly repaired: number | null
}

/** `asherah keys repair` */
export function keysRepairCommand(context: CommandContext): Command {
  const description = 'make a new system key where the latest one cannot be decrypted in every AWS region'
  return addKeysOptions(addOwnerOptions(createCommand('repair', description)))
    .option(...kmsFlag)
    .option('--dry-run', 'only say which regions are missing')
    .addHelpText('after', help)
    .action(async (flags: RepairFlags) => {
      await withMetastore(flags, context, async (keys) => {
        const done = await repair(flags, keys, context)
        const output = createStreamOutput(context.stdout, 'standard output', { end: false })
        await output.write(Buffer.from(`${flags.json === true ? toJson(done) : format(done)}\n`))
      })
    })
}

async function repair(flags: RepairFlags, keys: OpenKeys, context: CommandContext): Promise<Repair> {
  const { metastore, settings, expireAfterMs } = keys
  const owner = { service: settings.required('service'), product: settings.required('product'), metastore }
  const id = systemKeyId(owner)
  const kms = await openAwsKms(keys, context)
  try {
    const latest = await metastore.loadLatest(id)
    if (latest === null) throw new InvalidConfigError(`the metastore has no system key '${printable(id)}'`)
    const missing = await missingRegions(kms, latest.encryptedKey)
    const found = { id, created: latest.created, missing }
    if (missing.length === 0 || flags.dryRun === true) return { ...found, repaired: null }
    const rotation = createRotation({ ...owner, kms, expireAfterMs })
    try {
      return { ...found, repaired: (await rotation.systemKey()).created }
    } finally {
      await rotation.close()
    }
  } finally {
    await kms.close?.()
  }
}

/** Every region, or none: a repair that leaves one out again would be no repair. */
async function openAwsKms({ settings }: OpenKeys, { env }: CommandContext): Promise<OpenKms> {
  if (chosenKms({ settings, env })?.kind !== 'aws') {
    throw new InvalidConfigError('keys repair is for AWS regions: --kms aws-kms://ARN,ARN,…')
  }
  return openKms({ settings, env, prompt: undefined, warn() {} }, { everyRegion: true })
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
