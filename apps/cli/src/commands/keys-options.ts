import type { Command } from 'commander'
import { loadSettings } from '../config-file.ts'
import { type ListKeysOptions, listKeys } from '../keys/key-list.ts'
import type { KeyInfo } from '../keys/key-state.ts'
import { checkMetastoreExists, chosenMetastore, type OpenMetastore } from '../keys/metastore-url.ts'
import { parseDuration, type Settings } from '../settings.ts'
import type { CommandContext } from './context.ts'

/** What every command of `keys` is given. */
export interface KeysFlags {
  readonly metastore?: string
  readonly expireAfter?: string
  readonly config?: string
  readonly json?: boolean
}

const defaultExpireAfterMs = 90 * 86_400_000

/** Adds the options that the commands of `keys` share. */
export function addKeysOptions(command: Command): Command {
  return command
    .option('--metastore <url>', 'where wrapped keys are kept: sqlite://PATH, or the URL of a database')
    .option('--expire-after <duration>', 'age at which keys stop encrypting, such as 12h or 30d; default 90d')
    .option('--config <file>', 'config file; default asherah.config.json, if it is there')
    .option('--json', 'print JSON')
    .option('--debug', 'show stacks and causes of errors')
}

/** Adds what names the keys that a command changes. */
export function addOwnerOptions(command: Command): Command {
  return command
    .option('--service <name>', 'service that the keys belong to')
    .option('--product <name>', 'product that the keys belong to')
}

/** What a command of `keys` works on. */
export interface OpenKeys {
  readonly metastore: OpenMetastore
  readonly settings: Settings
  readonly expireAfterMs: number
}

/** Opens the metastore for an action, and closes it. One that is not there is not made. */
export async function withMetastore<T>(
  flags: KeysFlags,
  context: CommandContext,
  action: (keys: OpenKeys) => Promise<T>,
): Promise<T> {
  const settings = await loadSettings({ ...flags }, context.env)
  const given = settings.given('expireAfter')
  const expireAfterMs = given === undefined ? defaultExpireAfterMs : parseDuration(given)
  const place = chosenMetastore(settings)
  await checkMetastoreExists(place)
  const metastore = await place.open()
  try {
    return await action({ metastore, settings, expireAfterMs })
  } finally {
    await metastore.close()
  }
}

/** Opens the metastore, lists its keys to an action, and closes it. No master key is needed. */
export async function withKeys<T>(
  flags: KeysFlags,
  context: CommandContext,
  keyId: string | undefined,
  action: (keys: AsyncGenerator<KeyInfo, void, void>) => Promise<T>,
): Promise<T> {
  return withMetastore(flags, context, async ({ metastore, expireAfterMs }) => {
    const options: ListKeysOptions = {
      metastore,
      now: Date.now(),
      expireAfterMs,
      ...(keyId === undefined ? {} : { keyId }),
    }
    return await action(listKeys(options))
  })
}
