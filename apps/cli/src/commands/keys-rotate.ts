import { InvalidConfigError } from '@asherah/core'
import { type Command, Option } from 'commander'
import { createStreamOutput } from '../io/output.ts'
import { promptHidden } from '../keys/hidden-prompt.ts'
import { allKeys } from '../keys/key-list.ts'
import { isoTime } from '../keys/key-state.ts'
import { kmsFlag, openKms } from '../keys/kms-setting.ts'
import { createRotation, partitionOf, type RotatedKey, type Rotation } from '../keys/rotation.ts'
import { plural } from '../summary.ts'
import type { CommandContext } from './context.ts'
import { createCommand } from './create-command.ts'
import { printable } from './keys-list.ts'
import { addKeysOptions, addOwnerOptions, type KeysFlags, type OpenKeys, withMetastore } from './keys-options.ts'

/** Rotations in work at once: each waits for the metastore. */
const atOnce = 16

const help = `
Each new key is one more row: nothing is changed or removed, and what was encrypted before stays readable.
Running processes take a new key at their next check, at most their revokeCheckIntervalMs (default 60 minutes) later.
A new system key is used for the intermediate keys that are made after it; to move all at once, add --all-partitions.

Examples:
  $ asherah keys rotate --system
  $ asherah keys rotate --partition acme --partition initech
  $ asherah keys rotate --system --all-partitions`

interface RotateFlags extends KeysFlags {
  readonly system?: boolean
  readonly partition?: readonly string[]
  readonly allPartitions?: boolean
}

/** `asherah keys rotate` */
export function keysRotateCommand(context: CommandContext): Command {
  return addKeysOptions(addOwnerOptions(createCommand('rotate', 'make new keys now, while the old ones are valid')))
    .option('--system', 'a new system key')
    .addOption(
      new Option('--partition <id>', 'a new intermediate key of a partition; may be repeated').argParser(collect),
    )
    .option('--all-partitions', 'a new intermediate key of every partition')
    .option(...kmsFlag)
    .option('--master-key-file <file>', 'file of the master key; or ASHERAH_MASTER_KEY_HEX, or a prompt')
    .addHelpText('after', help)
    .action(async (flags: RotateFlags) => {
      checkFlags(flags)
      await withMetastore(flags, context, (keys) => rotate(flags, keys, context))
    })
}

function checkFlags({ system, partition, allPartitions }: RotateFlags): void {
  if (system !== true && partition === undefined && allPartitions !== true) {
    throw new InvalidConfigError('say what to rotate: --system, --partition ID or --all-partitions')
  }
  if (partition !== undefined && allPartitions === true) {
    throw new InvalidConfigError('give --partition or --all-partitions, not both')
  }
}

async function rotate(flags: RotateFlags, keys: OpenKeys, context: CommandContext): Promise<void> {
  const { metastore, settings, expireAfterMs } = keys
  const owner = { service: settings.required('service'), product: settings.required('product'), metastore }
  const kms = await openKms({
    settings,
    env: context.env,
    prompt: promptOf(context),
    warn: (message) => void context.stderr.write(`asherah: warning: ${message}\n`),
  })
  try {
    const rotation = createRotation({ ...owner, kms, expireAfterMs })
    try {
      const output = createStreamOutput(context.stdout, 'standard output', { end: false })
      let made = 0
      for await (const key of rotated(flags, keys, rotation)) {
        made += 1
        await output.write(Buffer.from(flags.json === true ? `${toJson(key)}\n` : `${formatKey(key)}\n`))
      }
      context.stderr.write(`${plural(made, 'new key')}; running processes take them at their next check\n`)
    } finally {
      await rotation.close()
    }
  } finally {
    await kms.close?.()
  }
}

async function* rotated(
  flags: RotateFlags,
  keys: OpenKeys,
  rotation: Rotation,
): AsyncGenerator<RotatedKey, void, void> {
  if (flags.system === true) yield await rotation.systemKey()
  let batch: string[] = []
  for await (const partition of flags.allPartitions === true ? partitionsOf(keys) : (flags.partition ?? [])) {
    batch.push(partition)
    if (batch.length < atOnce) continue
    yield* await Promise.all(batch.map((one) => rotation.intermediateKey(one)))
    batch = []
  }
  yield* await Promise.all(batch.map((one) => rotation.intermediateKey(one)))
}

/** Every partition once: a list goes by id, so that the versions of one key are neighbours. */
async function* partitionsOf({ metastore, settings }: OpenKeys): AsyncGenerator<string, void, void> {
  const owner = { service: settings.required('service'), product: settings.required('product'), metastore }
  let last: string | undefined
  for await (const record of allKeys(metastore)) {
    const partition = partitionOf(record, owner)
    if (partition !== undefined && partition !== last) yield partition
    last = partition ?? last
  }
}

function formatKey({ id, created, previous }: RotatedKey): string {
  const before = previous === null ? 'the first one' : `before: ${isoTime(previous)}`
  return `${printable(id)}  ${isoTime(created)}  ${before}`
}

function toJson({ id, created, previous }: RotatedKey): string {
  return JSON.stringify({
    id,
    created: isoTime(created),
    createdUnix: created,
    previous: previous === null ? null : isoTime(previous),
    previousUnix: previous,
  })
}

function promptOf({ stdin, stderr }: CommandContext): ((question: string) => Promise<string>) | undefined {
  if (stdin.isTTY !== true || stderr.isTTY !== true) return undefined
  return (question) => promptHidden(question, stdin, stderr)
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value]
}
