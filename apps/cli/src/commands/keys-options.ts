import type { Command } from 'commander'
import { loadSettings } from '../config-file.ts'
import { type ListKeysOptions, listKeys } from '../keys/key-list.ts'
import type { KeyInfo } from '../keys/key-state.ts'
import { checkMetastoreExists, openMetastore } from '../keys/metastore-url.ts'
import { parseDuration } from '../settings.ts'
import type { CommandContext } from './context.ts'

/** What `keys list` and `keys show` are given. */
export interface KeysFlags {
  readonly metastore?: string
  readonly expireAfter?: string
  readonly config?: string
  readonly json?: boolean
}

const defaultExpireAfterMs = 90 * 86_400_000

/** Adds the options that `keys list` and `keys show` share. */
export function addKeysOptions(command: Command): Command {
  return command
    .option('--metastore <url>', 'where wrapped keys are kept: sqlite://PATH')
    .option('--expire-after <duration>', 'age at which keys stop encrypting, such as 12h or 30d; default 90d')
    .option('--config <file>', 'config file; default asherah.config.json, if it is there')
    .option('--json', 'print JSON')
    .option('--debug', 'show stacks and causes of errors')
}

/** Opens the metastore, lists its keys to an action, and closes it. No master key is needed. */
export async function withKeys<T>(
  flags: KeysFlags,
  context: CommandContext,
  keyId: string | undefined,
  action: (keys: AsyncGenerator<KeyInfo, void, void>) => Promise<T>,
): Promise<T> {
  const settings = await loadSettings({ ...flags }, context.env)
  const given = settings.given('expireAfter')
  const expireAfterMs = given === undefined ? defaultExpireAfterMs : parseDuration(given)
  const url = settings.required('metastore')
  await checkMetastoreExists(url)
  const metastore = openMetastore(url)
  try {
    const options: ListKeysOptions = {
      metastore,
      now: Date.now(),
      expireAfterMs,
      ...(keyId === undefined ? {} : { keyId }),
    }
    return await action(listKeys(options))
  } finally {
    await metastore.close()
  }
}
